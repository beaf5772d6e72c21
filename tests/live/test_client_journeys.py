"""What a data scientist does with the stock client, a tracking URI and a key, on both kinds of artifact destination."""

import uuid
from typing import Any

import pytest
import requests

from tests.live.client import run_client
from tests.live.conftest import Stack
from tests.live.stack import Log, Portal

pytestmark = pytest.mark.live

REGISTER = """
    import numpy as np
    from sklearn.linear_model import LinearRegression
    import mlflow.sklearn
    client, name = MlflowClient(), os.environ["NAME"]
    X = np.arange(10, dtype=float).reshape(-1, 1)
    model = LinearRegression().fit(X, 3 * X[:, 0] + 1)
    try:
        client.get_experiment_by_name(name) is None or sys.exit("the name is taken")
        mlflow.set_experiment(name)
        result["experiment"] = client.get_experiment_by_name(name).name
    except Exception as error:
        result["experiment"] = told(error)
    with mlflow.start_run() as run:
        mlflow.log_params({"slope": 3})
        mlflow.log_metrics({"loss": 0.5})
        mlflow.set_tag("colour", "blue")
        signature = mlflow.models.infer_signature(X, model.predict(X))
        info = mlflow.sklearn.log_model(model, name="model", signature=signature, pip_requirements=["scikit-learn"])
    found = client.get_run(run.info.run_id)
    result["run"] = [found.data.params, found.data.metrics, found.data.tags["colour"], found.info.status]
    result["logged models"] = [
        [found.model_id == info.model_id, str(found.status), found.source_run_id == run.info.run_id]
        for found in mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], output_format="list")
    ]
    client.set_logged_model_tags(info.model_id, {"stage": "trial"})
    result["logged model tag"] = client.get_logged_model(info.model_id).tags["stage"]
    version = mlflow.register_model(info.model_uri, name)
    client.set_registered_model_alias(name, "champion", version.version)
    client.set_model_version_tag(name, version.version, "checked", "yes")
    result["registered"] = [
        [found.name, found.aliases, [one.version for one in found.latest_versions]]
        for found in client.search_registered_models(f"name='{name}'")
    ]
    result["source"] = version.source
    uris = {
        "runs:/": f"runs:/{run.info.run_id}/model",
        "models:/name/1": f"models:/{name}/{version.version}",
        "models:/name@alias": f"models:/{name}@champion",
        "models:/id": info.model_uri,
    }
    result["predicted"] = {}
    for form, uri in uris.items():
        try:
            result["predicted"][form] = round(float(mlflow.pyfunc.load_model(uri).predict(np.array([[20.0]]))[0]), 6)
        except Exception as error:
            result["predicted"][form] = told(error)
    client.delete_registered_model_alias(name, "champion")
    result["alias gone"] = client.get_registered_model(name).aliases
    client.delete_model_version_tag(name, version.version, "checked")
    result["tag gone"] = client.get_model_version(name, version.version).tags
    client.delete_model_version(name, version.version)
    result["version gone"] = [one.version for one in client.search_model_versions(f"name='{name}'")]
    client.delete_registered_model(name)
    result["model gone"] = [one.name for one in client.search_registered_models(f"name='{name}'")]
    client.delete_logged_model(info.model_id)
    client.delete_run(run.info.run_id)
    result["run gone"] = client.get_run(run.info.run_id).info.lifecycle_stage
    client.delete_experiment(run.info.experiment_id)
"""
MISSING = """
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    try:
        client.download_artifacts(run_id, "not/there.txt", str(here))
    except Exception as error:
        result["error"] = told(error)
    try:
        mlflow.artifacts.load_text(f"runs:/{run_id}/nor/there.txt")
    except Exception as error:
        result["second"] = told(error)
"""
PROMPTS = """
    import mlflow.genai
    name = os.environ["NAME"]
    first = mlflow.genai.register_prompt(name=name, template="Say {{ word }}.", commit_message="first")
    second = mlflow.genai.register_prompt(name=name, template="Sing {{ word }}.", tags={"tone": "high"})
    mlflow.genai.set_prompt_alias(name, alias="live", version=2)
    result["versions"] = [first.version, second.version]
    result["first"] = mlflow.genai.load_prompt(name, version=1).format(word="yes")
    result["live"] = mlflow.genai.load_prompt(f"prompts:/{name}@live").format(word="yes")
    result["listed"] = [prompt.name for prompt in mlflow.genai.search_prompts(f"name='{name}'")]
"""
THREADS = """
    from concurrent.futures import ThreadPoolExecutor
    client = MlflowClient()
    def work(number):
        run_id = client.create_run("0").info.run_id
        client.log_param(run_id, "number", number)
        for step in range(8):
            client.log_metric(run_id, "value", number * 100 + step, step=step)
        return run_id
    with ThreadPoolExecutor(16) as pool:
        runs = list(pool.map(work, range(16)))
    for number, run_id in enumerate(runs):
        history = [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "value")]
        result[number] = [client.get_run(run_id).data.params, sorted(history)]
"""
BATCH = """
    from mlflow.entities import Metric, Param, RunTag
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    metrics = [Metric(f"{number:03}" + "m" * 240, float(number), 0, 0) for number in range(800)]
    params = [Param(f"p{number:03}", "v" * 6000) for number in range(100)]
    tags = [RunTag(f"t{number:03}", "w" * 5000) for number in range(100)]
    client.log_batch(run_id, metrics, params, tags)
    data = client.get_run(run_id).data
    result["metrics"] = data.metrics == {metric.key: metric.value for metric in metrics}
    result["params"] = data.params == {param.key: param.value for param in params}
    result["tags"] = {tag.key: tag.value for tag in tags}.items() <= data.tags.items()
"""
EVERY_URI = """
    import tempfile
    base, result = os.environ["BASE"], {}
    for mount in ("/api/mlflow", "/api/mlflow/", "/mlflow", "/mlflow/", "", "/"):
        seen = []
        try:
            mlflow.set_tracking_uri(base + mount)
            client = MlflowClient()
            seen.append(len(client.search_experiments(max_results=1)))
            run_id = client.create_run("0").info.run_id
            client.log_text(run_id, "text of " + mount, "notes/a.txt")
            seen.append([entry.path for entry in client.list_artifacts(run_id, "notes")])
            with tempfile.TemporaryDirectory() as folder:
                path = client.download_artifacts(run_id, "notes/a.txt", folder)
                seen.append(pathlib.Path(path).read_text() == "text of " + mount)
            seen.append("0" in [entry.path for entry in mlflow.artifacts.list_artifacts("mlflow-artifacts:/")])
            found = mlflow.artifacts.list_artifacts(f"mlflow-artifacts:/0/{run_id}/artifacts/notes")
            seen.append([pathlib.PurePosixPath(entry.path).name for entry in found])
        except Exception as error:
            seen.append(told(error))
        result[mount] = seen
"""


class Journey:
    """What the registration script found, and what the portal logged meanwhile."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.name = f"journey {uuid.uuid4().hex[:8]}"
        self.log: Log = portal.watch()
        self.result: dict[str, Any] = run_client(REGISTER, portal, portal.key(), NAME=self.name)
        self.requests = self.log.requests()


@pytest.fixture(scope="module", params=["local", "s3", "local_direct", "s3_direct"])
def journey(request: pytest.FixtureRequest, stack: Stack) -> Journey:
    return Journey(getattr(stack, request.param))


def test_p0_10_experiment_of_a_new_name_is_made(journey: Journey) -> None:
    assert journey.result["experiment"] == journey.name
    assert next(code for request, code in journey.requests if "/get-by-name" in request) == 404


def test_p0_10_missing_experiment_is_told_as_mlflow_tells_it(local: Portal) -> None:
    path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=nobody-has-this"
    reply = local.ask("GET", path).json()
    direct = requests.get(f"{local.mlflow.tracking_uri}{path}", timeout=60).json()
    assert {name: reply.get(name) for name in direct} == direct
    assert direct["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_p0_11_model_loads_by_every_uri(journey: Journey) -> None:
    assert journey.result["predicted"] == dict.fromkeys(journey.result["predicted"], 61.0)
    assert len(journey.result["predicted"]) == 4


def test_p0_11_client_has_nothing_to_repeat(journey: Journey) -> None:
    assert len(journey.requests) > 30
    assert [(request, code) for request, code in journey.requests if code >= 500 or code in {408, 429}] == []


def test_run_keeps_params_metrics_and_tags(journey: Journey) -> None:
    assert journey.result["run"] == [{"slope": "3"}, {"loss": 0.5}, "blue", "FINISHED"]


def test_logged_model_is_found_and_tagged(journey: Journey) -> None:
    assert journey.result["logged models"] == [[True, "READY", True]]
    assert journey.result["logged model tag"] == "trial"


def test_registered_model_is_found_with_its_alias(journey: Journey) -> None:
    ((name, aliases, versions),) = journey.result["registered"]
    assert (name, [str(number) for number in aliases.values()], [str(one) for one in versions]) == (
        journey.name,
        ["1"],
        ["1"],
    )


def test_delete_with_a_body_removes_alias_tag_version_and_model(journey: Journey) -> None:
    gone = {name: journey.result[name] for name in ("alias gone", "tag gone", "version gone", "model gone", "run gone")}
    assert gone == {"alias gone": {}, "tag gone": {}, "version gone": [], "model gone": [], "run gone": "deleted"}
    assert {code for request, code in journey.requests if request.startswith("DELETE ")} == {200}


def test_client_never_hears_an_address_of_the_store(journey: Journey) -> None:
    assert journey.result["source"].startswith("models:/")
    assert not [request for request, _ in journey.requests if "presigned" in request or "/mpu/" in request]


def test_p0_12_missing_artifact_is_one_404(portal: Portal) -> None:
    log = portal.watch()
    outcome = run_client(MISSING, portal, portal.key())
    assert all("MlflowException: Failed to download" in outcome[name] for name in ("error", "second"))
    assert log.codes(1, "/not/there.txt") == log.codes(1, "/nor/there.txt") == [404]


def test_p0_16_s19_client_works_with_every_advertised_tracking_uri(portal: Portal) -> None:
    outcome = run_client(EVERY_URI, portal, portal.key(), BASE=portal.url)
    assert list(outcome) == ["/api/mlflow", "/api/mlflow/", "/mlflow", "/mlflow/", "", "/"]
    assert [seen for seen in outcome.values() if seen != [1, ["notes/a.txt"], True, True, ["a.txt"]]] == []


def test_p0_18_batch_of_a_thousand_and_a_megabyte_is_taken_whole(local: Portal) -> None:
    assert run_client(BATCH, local, local.key()) == {"metrics": True, "params": True, "tags": True}


def test_p0_18_mlflow_s_refusal_of_a_larger_batch_arrives_unchanged(local: Portal) -> None:
    run_id = local.api("POST", "2.0/mlflow/runs/create", json={"experiment_id": "0"})["run"]["info"]["run_id"]
    metrics = [{"key": f"m{number}", "value": 1, "timestamp": 0, "step": 0} for number in range(1001)]
    path, body = "/api/2.0/mlflow/runs/log-batch", {"run_id": run_id, "metrics": metrics}
    through = local.ask("POST", path, json=body)
    direct = requests.post(f"{local.mlflow.tracking_uri}{path}", json=body, timeout=60)
    assert (through.status_code, direct.status_code) == (400, 400)
    assert {name: through.json().get(name) for name in direct.json()} == direct.json()


def test_prompts_are_registered_and_loaded(local: Portal) -> None:
    name = f"prompt-{uuid.uuid4().hex[:8]}"
    outcome = run_client(PROMPTS, local, local.key(), NAME=name)
    assert outcome == {"versions": [1, 2], "first": "Say yes.", "live": "Sing yes.", "listed": [name]}


def test_sixteen_threads_log_at_once_and_nothing_is_lost(portal: Portal) -> None:
    outcome = run_client(THREADS, portal, portal.key())
    expected = {
        str(number): [{"number": str(number)}, [[step, number * 100.0 + step] for step in range(8)]]
        for number in range(16)
    }
    assert outcome == expected
