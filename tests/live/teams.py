"""Two teams in two workspaces: what team A keeps, and how every row of the table is called about it."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from mlflow_proxy.routes import ROUTES, Route
from tests.live.stack import Portal

# Whatever A keeps carries this word, and nothing that B sends does.
MARK = "only-of-team-a"
FURNISH = """
    mark = os.environ["MARK"]
    client = MlflowClient()
    experiment = client.create_experiment("shared name", tags={"note": mark})
    mlflow.set_experiment("shared name")
    run_id = client.create_run(experiment, tags={"note": mark}).info.run_id
    client.log_param(run_id, "param", mark)
    client.log_metric(run_id, "loss", 0.5)
    for name in ("plain.txt", "notes/plain.txt", "notes/" + mark + ".txt"):
        client.log_text(run_id, mark, name)
    model = mlflow.create_external_model(name="logged", source_run_id=run_id, tags={"note": mark}, params={"p": mark})
    (here / "MLmodel").write_text(mark)
    client.log_model_artifact(model.model_id, str(here / "MLmodel"))
    for name in ("champion", "challenger"):
        client.create_registered_model(name, description=mark, tags={"note": mark})
    version = client.create_model_version("champion", f"runs:/{run_id}/notes", run_id=run_id, tags={"note": mark})
    client.set_registered_model_alias("champion", "live", version.version)
    mlflow.genai.register_prompt(name="ask", template=mark)
    with mlflow.start_span("step") as span:
        span.set_inputs({"question": mark})
        trace = span.trace_id
    mlflow.flush_trace_async_logging()
    mlflow.set_trace_tag(trace, "note", mark)
    mlflow.set_trace_tag(trace, "other", mark)
    assessment = mlflow.log_feedback(trace_id=trace, name="good", value=True, rationale=mark)
    import mlflow.genai.datasets as datasets
    dataset = datasets.create_dataset(name="questions", experiment_id=[experiment], tags={"note": mark})
    dataset.merge_records([{"inputs": {"question": mark}}])
    result.update(experiment=experiment, run=run_id, model=model.model_id, version=version.version, trace=trace)
    result.update(assessment=assessment.assessment_id, dataset=dataset.dataset_id)
"""
# Things of the same shapes that nobody has.
NOBODYS = {
    "experiment": "999999",
    "run": "0" * 32,
    "model": "m-" + "0" * 32,
    "version": "999",
    "trace": "tr-" + "0" * 32,
    "assessment": "a-" + "0" * 32,
    "dataset": "d-" + "0" * 32,
}
LISTS_IN_QUERIES = {"trace_ids", "run_ids", "experiment_ids"}


@dataclass(frozen=True)
class Team:
    """A portal before an MLflow with workspaces, as one team sees it; ``ids`` are those of what A has."""

    portal: Portal
    key: str
    ids: dict[str, str]

    def about_nobodys(self) -> "Team":
        """Return a team that asks for things which nobody has."""
        return replace(self, ids=NOBODYS)

    def ask(self, row: Route, *, below: str = "") -> requests.Response:
        """Make the row's call about the things of ``ids``; ``below`` stands before an artifact's path."""
        facts, body, headers = about(row, self.ids), b"", {"Content-Type": "application/json"}
        query = list(_flat(facts)) if row.method == "GET" or row.template.endswith("upload-artifact") else []
        if row.traffic == "transfer" or row.template.endswith("upload-artifact"):
            body = b"" if row.method == "GET" else b"overwritten"
        elif row.method != "GET":
            body = json.dumps(facts).encode()
        if row.traffic == "stream":
            headers["X-MLflow-Experiment-Id"] = self.ids["experiment"]
        return requests.request(
            row.method,
            f"{self.portal.tracking_uri}/{filled(row, self.ids, below)}",
            params=query,
            data=body,
            headers={"Authorization": f"Bearer {self.key}"} | headers,
            timeout=60,
        )

    def send(
        self, path: str, document: dict[str, Any], *, method: str = "POST", version: str = "2.0"
    ) -> requests.Response:
        """Make a call of MLflow's JSON API about whatever the document names."""
        url = f"{self.portal.tracking_uri}/api/{version}/mlflow/{path}"
        return requests.request(method, url, json=document, headers={"Authorization": f"Bearer {self.key}"}, timeout=60)


def fingerprint(team: Team, store: Path) -> dict[str, Any]:
    """Return all that a team has, as its own reads show it, and the bytes of every artifact of A's workspace."""
    seen = {}
    for row in ROUTES:
        if row.template.startswith(("api/2.0/mlflow/", "api/3.0/mlflow/")) and (
            row.method == "GET" or row.template.endswith("/search")
        ):
            reply = team.ask(row)
            seen[row.operation] = (reply.status_code, _ordered({**reply.json(), "request_id": ""}))
    files = {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((store / "workspaces" / "team-a").rglob("*"))
        if path.is_file()
    }
    return {"seen": seen, "files": files}


def about(row: Route, ids: dict[str, str]) -> dict[str, Any]:
    """Return every field by which MLflow names an object; each route reads its own."""
    if row.is_artifact and row.resource == "artifact":
        return {"path": f"{ids['experiment']}/{ids['run']}/artifacts"}
    is_known = ids is not NOBODYS
    names = {"experiment": "shared name", "dataset": "questions"}
    experiments = [ids["experiment"]]
    facts: dict[str, Any] = {
        "name": names.get(row.resource, "champion") if is_known else "nobodys",
        "experiment_name": "shared name" if is_known else "nobodys",
        "experiment_id": ids["experiment"],
        "experiment_ids": experiments,
        "run_id": ids["run"],
        "run_uuid": ids["run"],
        "run_ids": [ids["run"]],
        "version": ids["version"],
        "alias": "live",
        "model_id": ids["model"],
        "trace_id": ids["trace"],
        "request_id": ids["trace"],
        "trace_ids": [ids["trace"]],
        "request_ids": [ids["trace"]],
        "dataset_id": ids["dataset"],
        "dataset_ids": [ids["dataset"]],
        "assessment_id": ids["assessment"],
        "metric_key": "loss",
        "key": "note",
        "value": "changed",
        "max_results": 10,
        "path": "notes" if "list" in row.template else "plain.txt",
        "artifact_file_path": "MLmodel",
    }
    if row.method == "GET":
        facts = {
            word: value for word, value in facts.items() if word in LISTS_IN_QUERIES or not isinstance(value, list)
        }
    facts |= bodies(ids).get(row.operation, {})
    return {word: value for word, value in facts.items() if value is not None}


def bodies(ids: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return, by operation, what a call needs beside the names of things; None takes away one of these."""
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": ids["experiment"]}}
    judged = {
        "assessment_name": "good",
        "trace_id": ids["trace"],
        "source": {"source_type": "HUMAN", "source_id": "somebody"},
        "feedback": {"value": False},
        "rationale": "changed",
    }
    new_trace = {"trace_id": f"tr-{'5' * 32}", "trace_location": place, "request_time": "2026-01-01T00:00:00Z"}
    span = {
        "traceId": ids["trace"].removeprefix("tr-"),
        "spanId": "00f067aa0ba902b7",
        "name": "another step",
        "startTimeUnixNano": "1767225600000000000",
        "endTimeUnixNano": "1767225601000000000",
    }
    logged = {"artifact_path": "model", "run_id": ids["run"], "utc_time_created": "2026-01-01 00:00:00", "flavors": {}}
    return {
        "POST 2.0/mlflow/runs/log-metric": {"key": "loss", "value": 9.0, "timestamp": 1, "step": 7},
        "POST 2.0/mlflow/runs/log-batch": {"metrics": [{"key": "loss", "value": 8.0, "timestamp": 1, "step": 8}]},
        "POST 2.0/mlflow/runs/log-model": {"model_json": json.dumps(logged)},
        "POST 2.0/mlflow/runs/outputs": {"models": [{"model_id": ids["model"], "step": 1}]},
        "POST 2.0/mlflow/runs/update": {"status": "FAILED", "run_name": "changed"},
        "POST 2.0/mlflow/experiments/update": {"new_name": "changed"},
        "POST 2.0/mlflow/experiments/create": {"name": f"another {ids['version']}", "artifact_location": ""},
        "PATCH 2.0/mlflow/logged-models/{model_id}": {"status": "LOGGED_MODEL_READY"},
        "POST 2.0/mlflow/registered-models/rename": {"name": "challenger", "new_name": "renamed"},
        "POST 2.0/mlflow/registered-models/create": {"name": f"another {ids['version']}"},
        "PATCH 2.0/mlflow/registered-models/update": {"description": "changed"},
        "PATCH 2.0/mlflow/model-versions/update": {"description": "changed"},
        "POST 2.0/mlflow/model-versions/create": {"source": f"runs:/{ids['run']}/notes", "model_id": None},
        "POST 2.0/mlflow/model-versions/transition-stage": {"stage": "Archived"},
        "POST 2.0/mlflow/traces/link-prompts": {"prompt_versions": [{"name": "ask", "version": "1"}]},
        "POST 3.0/mlflow/traces": {"trace": {"trace_info": new_trace | {"state": "OK"}}},
        "POST 3.0/mlflow/traces/search": {"locations": [place]},
        "POST 3.0/mlflow/traces/metrics": {
            "view_type": "TRACES",
            "metric_name": "trace_count",
            "aggregations": [{"aggregation_type": "COUNT"}],
        },
        "POST 3.0/mlflow/traces/calculate-filter-correlation": {
            "filter_string1": "status = 'OK'",
            "filter_string2": "status = 'ERROR'",
        },
        "POST 3.0/mlflow/traces/{trace_id}/assessments": {"assessment": judged},
        "PATCH 3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}": {
            "assessment": judged | {"assessment_id": ids["assessment"]},
            "update_mask": "rationale,feedback",
        },
        "POST 3.0/mlflow/datasets/{dataset_id}/records": {"records": json.dumps([{"inputs": {"question": "more"}}])},
        "PATCH 3.0/mlflow/datasets/{dataset_id}/tags": {"tags": json.dumps({"note": "changed"})},
        "DELETE 3.0/mlflow/traces/{trace_id}/tags": {"key": "other"},
        # Else it would be a file attached to the trace; its name is a UUID.
        **{f"GET {version}/mlflow/get-trace-artifact": {"path": None} for version in ("2.0", "3.0")},
        "POST v1/traces": {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]},
    }


def filled(row: Route, ids: dict[str, str], below: str = "") -> str:
    """Return the row's path with the ids; KeyError for a placeholder that nobody thought of."""
    words = {
        "artifact_path": f"{below}{ids['experiment']}/{ids['run']}/artifacts/plain.txt",
        "model_id": ids["model"],
        "request_id": ids["trace"],
        "trace_id": ids["trace"],
        "assessment_id": ids["assessment"],
        "dataset_id": ids["dataset"],
        "issue_id": "iss-1",
        "tag_key": "note",
        "workspace_name": "team-a",
    }
    return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], row.template)


def _ordered(document: Any) -> Any:
    """Return a reply without the order in which MLflow happens to read tags and other sets."""
    if isinstance(document, dict):
        return sorted((name, _ordered(value)) for name, value in document.items())
    return sorted(map(_ordered, document), key=repr) if isinstance(document, list) else repr(document)


def _flat(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, str(one)
