"""The real registration, end to end, with the stock MLflow client; runs in MLflow's environment, not the portal's.

Prints one JSON line a step: ``{"step", "state": "passed" | "failed" | "left", "detail", "hint"}``, and stops at the
first failure. Knows the portal by MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN alone, as a data scientist does.
"""

import json
import os
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LinearRegression

HINTS = {
    "UNAUTHENTICATED": "The key is not accepted. Issue one: manage.py issue_key --name verify --preset operator",
    "PERMISSION_DENIED": "The key lacks a scope; the line above names it. Issue a key that holds it.",
    "ARTIFACTS_DISABLED": "MLFLOW_SERVE_ARTIFACTS is false on the portal. Set it to true and restart.",
    "Connection refused": "Nothing listens at this address. Is the portal running, and is --url right?",
    "NoCredentialsError": "MLflow hands out s3:// addresses: start it with --default-artifact-root mlflow-artifacts:/",
    "too many 50": "A server behind the portal fails. GET /ready on the portal says which, and its log says why.",
}
# What a key below operator may lack without being wrong: the sentence, and what to do about it.
LEFT = {
    "set alias": ("the key may not promote, so the version is loaded by its number", "Promotion needs model:promote."),
    "clean up": ("the key may not delete, so {leftovers} stay", "Delete them with an operator's key."),
}
FEATURES = np.arange(10, dtype=float).reshape(-1, 1)


class StepFailedError(Exception):
    """A step's own assertion did not hold."""


class Registration:
    """The steps, in order; each returns a sentence for people or raises."""

    def __init__(self) -> None:
        self.client = MlflowClient()
        self.name = f"hokusai-verify-{uuid.uuid4().hex[:10]}"
        self.experiment_id = self.run_id = ""
        self.model = LinearRegression().fit(FEATURES, 3 * FEATURES[:, 0] + 1)

    def search_experiments(self) -> str:
        return f"{len(self.client.search_experiments(max_results=10))} visible"

    def create_experiment(self) -> str:
        self.experiment_id = self.client.create_experiment(self.name)
        location = self.client.get_experiment(self.experiment_id).artifact_location
        expect(location.startswith("mlflow-artifacts:/"), f"artifact location is {location}, not mlflow-artifacts:/…")
        return f"{self.name} at {location}"

    def start_run(self) -> str:
        self.run_id = mlflow.start_run(experiment_id=self.experiment_id, run_name="verify").info.run_id
        return self.run_id

    def log_values(self) -> str:
        mlflow.log_params({"slope": 3, "intercept": 1})
        for step, loss in enumerate((0.9, 0.5, 0.1)):
            mlflow.log_metric("loss", loss, step=step)
        mlflow.set_tag("purpose", "verify")
        run = self.client.get_run(self.run_id)
        expect(run.data.params == {"slope": "3", "intercept": "1"}, f"params came back as {run.data.params}")
        history = [metric.value for metric in self.client.get_metric_history(self.run_id, "loss")]
        expect(history == [0.9, 0.5, 0.1], f"metric history came back as {history}")
        expect(run.data.tags.get("purpose") == "verify", "the tag did not come back")
        return "2 params, 3 values of a metric, 1 tag"

    def log_model(self) -> str:
        # Signed by an example: a model without signature is refused by some registries.
        info = mlflow.sklearn.log_model(self.model, name="model", input_example=FEATURES[:2])
        self.model_uri = str(info.model_uri)
        return self.model_uri

    def register_model(self) -> str:
        self.version = mlflow.register_model(self.model_uri, self.name).version
        self.reference = f"{self.name}/{self.version}"
        return f"{self.name} version {self.version}"

    def find_model(self) -> str:
        found = self.client.search_registered_models(f"name='{self.name}'")
        expect([model.name for model in found] == [self.name], f"the search found {len(found)} models")
        return "by its name"

    def set_alias(self) -> str:
        self.client.set_registered_model_alias(self.name, "verified", self.version)
        self.reference = f"{self.name}@verified"
        return self.reference

    def load_model(self) -> str:
        loaded = mlflow.pyfunc.load_model(f"models:/{self.reference}")
        predicted, expected = loaded.predict(np.array([[20.0]])), self.model.predict(np.array([[20.0]]))
        expect(bool(np.allclose(predicted, expected)), f"it predicts {predicted}, not {expected}")
        return f"models:/{self.reference} predicts {float(predicted[0]):.1f}, as trained"

    def upload_and_list(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            self.content = os.urandom(100_000)
            path = Path(folder, "notes ü.bin")
            path.write_bytes(self.content)
            self.client.log_artifact(self.run_id, str(path), "files")
        listed = [(entry.path, entry.file_size) for entry in self.client.list_artifacts(self.run_id, "files")]
        expect(listed == [("files/notes ü.bin", 100_000)], f"the listing is {listed}")
        return "100,000 bytes, listed by name and size"

    def download(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = self.client.download_artifacts(self.run_id, "files/notes ü.bin", folder)
            expect(Path(path).read_bytes() == self.content, "the bytes differ")
        mlflow.end_run()
        return "the same bytes"

    def clean_up(self) -> str:
        self.client.delete_registered_model(self.name)
        self.client.delete_run(self.run_id)
        self.client.delete_experiment(self.experiment_id)
        return "model, run and experiment deleted"


def expect(holds: bool, complaint: str) -> None:
    if not holds:
        raise StepFailedError(complaint)


def report(step: str, state: str, detail: str, hint: str = "") -> None:
    print(json.dumps({"step": step, "state": state, "detail": detail, "hint": hint}), flush=True)


def hint_for(complaint: str) -> str:
    return next((hint for sign, hint in HINTS.items() if sign in complaint), "See the portal's log by the request id.")


def take(step: str, do: Callable[[], str], leftovers: str) -> bool:
    """Do one step, report it and return whether to go on."""
    try:
        report(step, "passed", do())
    except Exception as error:  # noqa: BLE001  (whatever went wrong is the step's result)
        complaint = " ".join(f"{type(error).__name__}: {error}".split())[:600]
        if step in LEFT and isinstance(error, MlflowException) and "PERMISSION_DENIED" in complaint:
            report(step, "left", *(part.format(leftovers=leftovers) for part in LEFT[step]))
            return True
        report(step, "failed", complaint, hint_for(complaint))
        return False
    return True


def main() -> int:
    registration: Any = Registration()
    steps = (
        *("search_experiments", "create_experiment", "start_run", "log_values", "log_model", "register_model"),
        *("find_model", "set_alias", "load_model", "upload_and_list", "download", "clean_up"),
    )
    for name in steps:
        leftovers = f"experiment and model {registration.name}"
        if not take(name.replace("_", " "), getattr(registration, name), leftovers):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
