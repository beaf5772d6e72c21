"""The table of what the portal lets through: (method, path) to scope, resource and traffic; pure, default deny.

A row not here does not exist for any key. ``{api}`` stands for ``api`` and ``ajax-api``: MLflow serves one handler
under both, so one row decides for both. Reads are told by the table, never by the method: many POSTs only search.
Left out on purpose: assistant, jobs, scorers, AI gateway, webhooks, GraphQL, demo, MCP, prompt optimisation, users.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from mlflow_proxy.exceptions import RouteUnknownError

MLFLOW_SERIES = "3.17"
# Clients ask for few rows again and again; what they ask for is text of a stranger's, and bounded.
REMEMBERED = 512
REMEMBERED_SEGMENTS = 7

Traffic = Literal["metadata", "transfer", "stream"]

# method  template  scope ("-": any valid key)  resource [traffic, metadata when left out]
TABLE = """
GET    {api}/2.0/mlflow-artifacts/artifacts                            artifact:read    artifact
GET    {api}/2.0/mlflow-artifacts/artifacts/{artifact_path}            artifact:read    artifact         transfer
PUT    {api}/2.0/mlflow-artifacts/artifacts/{artifact_path}            artifact:write   artifact         transfer
DELETE {api}/2.0/mlflow-artifacts/artifacts/{artifact_path}            artifact:delete  artifact
POST   {api}/2.0/mlflow-artifacts/mpu/create/{artifact_path}           artifact:write   artifact
POST   {api}/2.0/mlflow-artifacts/mpu/complete/{artifact_path}         artifact:write   artifact
POST   {api}/2.0/mlflow-artifacts/mpu/abort/{artifact_path}            artifact:write   artifact
GET    {api}/2.0/mlflow-artifacts/presigned/{artifact_path}            artifact:read    artifact
GET    {api}/2.0/mlflow/artifacts/list                                 artifact:read    run
GET    get-artifact                                                    artifact:read    run              transfer
GET    model-versions/get-artifact                                     artifact:read    model-version    transfer
GET    ajax-api/2.0/mlflow/get-trace-artifact                          artifact:read    trace            transfer
GET    ajax-api/3.0/mlflow/get-trace-artifact                          artifact:read    trace            transfer
GET    ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files    artifact:read    logged-model     transfer
GET    {api}/2.0/mlflow/logged-models/{model_id}/artifacts/directories artifact:read    logged-model
POST   ajax-api/2.0/mlflow/upload-artifact                             artifact:write   run

GET    {api}/2.0/mlflow/experiments/get                                mlflow:read      experiment
GET    {api}/2.0/mlflow/experiments/get-by-name                        mlflow:read      experiment
GET    {api}/2.0/mlflow/experiments/search                             mlflow:read      experiment
POST   {api}/2.0/mlflow/experiments/search                             mlflow:read      experiment
POST   ajax-api/2.0/mlflow/experiments/search-datasets                 mlflow:read      experiment
POST   {api}/2.0/mlflow/experiments/create                             mlflow:write     experiment
POST   {api}/2.0/mlflow/experiments/update                             mlflow:write     experiment
POST   {api}/2.0/mlflow/experiments/set-experiment-tag                 mlflow:write     experiment
POST   {api}/2.0/mlflow/experiments/delete-experiment-tag              mlflow:write     experiment
POST   {api}/2.0/mlflow/experiments/delete                             mlflow:delete    experiment
POST   {api}/2.0/mlflow/experiments/restore                            mlflow:delete    experiment

GET    {api}/2.0/mlflow/runs/get                                       mlflow:read      run
POST   {api}/2.0/mlflow/runs/search                                    mlflow:read      run
GET    {api}/2.0/mlflow/metrics/get-history                            mlflow:read      run
GET    ajax-api/2.0/mlflow/metrics/get-history-bulk                    mlflow:read      run
GET    {api}/2.0/mlflow/metrics/get-history-bulk-interval              mlflow:read      run
POST   {api}/2.0/mlflow/runs/create                                    mlflow:write     run
POST   {api}/2.0/mlflow/runs/update                                    mlflow:write     run
POST   {api}/2.0/mlflow/runs/log-metric                                mlflow:write     run
POST   {api}/2.0/mlflow/runs/log-parameter                             mlflow:write     run
POST   {api}/2.0/mlflow/runs/log-batch                                 mlflow:write     run
POST   {api}/2.0/mlflow/runs/log-inputs                                mlflow:write     run
POST   {api}/2.0/mlflow/runs/log-model                                 mlflow:write     run
POST   {api}/2.0/mlflow/runs/outputs                                   mlflow:write     run
POST   {api}/2.0/mlflow/runs/set-tag                                   mlflow:write     run
POST   {api}/2.0/mlflow/runs/delete-tag                                mlflow:write     run
POST   {api}/2.0/mlflow/runs/delete                                    mlflow:delete    run
POST   {api}/2.0/mlflow/runs/restore                                   mlflow:delete    run

POST   {api}/2.0/mlflow/logged-models/search                           mlflow:read      logged-model
GET    {api}/2.0/mlflow/logged-models/{model_id}                       mlflow:read      logged-model
POST   {api}/2.0/mlflow/logged-models                                  mlflow:write     logged-model
PATCH  {api}/2.0/mlflow/logged-models/{model_id}                       mlflow:write     logged-model
POST   {api}/2.0/mlflow/logged-models/{model_id}/params                mlflow:write     logged-model
PATCH  {api}/2.0/mlflow/logged-models/{model_id}/tags                  mlflow:write     logged-model
DELETE {api}/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}        mlflow:write     logged-model
DELETE {api}/2.0/mlflow/logged-models/{model_id}                       mlflow:delete    logged-model

GET    {api}/2.0/mlflow/registered-models/get                          model:read       registered-model
GET    {api}/2.0/mlflow/registered-models/search                       model:read       registered-model
GET    {api}/2.0/mlflow/registered-models/alias                        model:read       registered-model
GET    {api}/2.0/mlflow/registered-models/get-latest-versions          model:read       registered-model
POST   {api}/2.0/mlflow/registered-models/get-latest-versions          model:read       registered-model
POST   {api}/2.0/mlflow/registered-models/create                       model:write      registered-model
PATCH  {api}/2.0/mlflow/registered-models/update                       model:write      registered-model
POST   {api}/2.0/mlflow/registered-models/rename                       model:write      registered-model
POST   {api}/2.0/mlflow/registered-models/set-tag                      model:write      registered-model
DELETE {api}/2.0/mlflow/registered-models/delete-tag                   model:write      registered-model
POST   {api}/2.0/mlflow/registered-models/alias                        model:promote    registered-model
DELETE {api}/2.0/mlflow/registered-models/alias                        model:promote    registered-model
DELETE {api}/2.0/mlflow/registered-models/delete                       model:delete     registered-model

GET    {api}/2.0/mlflow/model-versions/get                             model:read       model-version
GET    {api}/2.0/mlflow/model-versions/search                          model:read       model-version
GET    {api}/2.0/mlflow/model-versions/get-download-uri                model:read       model-version
POST   {api}/2.0/mlflow/model-versions/create                          model:write      model-version
PATCH  {api}/2.0/mlflow/model-versions/update                          model:write      model-version
POST   {api}/2.0/mlflow/model-versions/set-tag                         model:write      model-version
DELETE {api}/2.0/mlflow/model-versions/delete-tag                      model:write      model-version
POST   {api}/2.0/mlflow/model-versions/transition-stage                model:promote    model-version
DELETE {api}/2.0/mlflow/model-versions/delete                          model:delete     model-version

POST   v1/traces                                                       mlflow:write     trace            stream
GET    {api}/2.0/mlflow/traces                                         mlflow:read      trace
GET    {api}/2.0/mlflow/traces/{request_id}/info                       mlflow:read      trace
POST   {api}/2.0/mlflow/traces                                         mlflow:write     trace
PATCH  {api}/2.0/mlflow/traces/{request_id}                            mlflow:write     trace
PATCH  {api}/2.0/mlflow/traces/{request_id}/tags                       mlflow:write     trace
DELETE {api}/2.0/mlflow/traces/{request_id}/tags                       mlflow:write     trace
POST   {api}/2.0/mlflow/traces/link-prompts                            mlflow:write     trace
POST   {api}/2.0/mlflow/traces/link-to-run                             mlflow:write     trace
POST   {api}/2.0/mlflow/traces/delete-traces                           mlflow:delete    trace
GET    {api}/3.0/mlflow/traces/get                                     mlflow:read      trace
GET    {api}/3.0/mlflow/traces/batchGet                                mlflow:read      trace
POST   {api}/3.0/mlflow/traces/batchGetInfos                           mlflow:read      trace
POST   {api}/3.0/mlflow/traces/search                                  mlflow:read      trace
POST   {api}/3.0/mlflow/traces/metrics                                 mlflow:read      trace
POST   {api}/3.0/mlflow/traces/calculate-filter-correlation            mlflow:read      trace
GET    {api}/3.0/mlflow/traces/{trace_id}                              mlflow:read      trace
GET    {api}/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}  mlflow:read      trace
POST   {api}/3.0/mlflow/traces                                         mlflow:write     trace
PATCH  {api}/3.0/mlflow/traces/{trace_id}/tags                         mlflow:write     trace
DELETE {api}/3.0/mlflow/traces/{trace_id}/tags                         mlflow:write     trace
POST   {api}/3.0/mlflow/traces/{trace_id}/assessments                  mlflow:write     trace
PATCH  {api}/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}  mlflow:write     trace
DELETE {api}/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}  mlflow:delete    trace
POST   {api}/3.0/mlflow/traces/delete-traces                           mlflow:delete    trace

GET    {api}/3.0/mlflow/datasets/search                                mlflow:read      dataset
POST   {api}/3.0/mlflow/datasets/search                                mlflow:read      dataset
GET    {api}/3.0/mlflow/datasets/{dataset_id}                          mlflow:read      dataset
GET    {api}/3.0/mlflow/datasets/{dataset_id}/experiment-ids           mlflow:read      dataset
GET    {api}/3.0/mlflow/datasets/{dataset_id}/records                  mlflow:read      dataset
POST   {api}/3.0/mlflow/datasets/create                                mlflow:write     dataset
POST   {api}/3.0/mlflow/datasets/{dataset_id}/records                  mlflow:write     dataset
POST   {api}/3.0/mlflow/datasets/{dataset_id}/add-experiments          mlflow:write     dataset
PATCH  {api}/3.0/mlflow/datasets/{dataset_id}/tags                     mlflow:write     dataset
DELETE {api}/3.0/mlflow/datasets/{dataset_id}/tags/{tag_key}           mlflow:write     dataset
POST   {api}/3.0/mlflow/datasets/{dataset_id}/remove-experiments       mlflow:delete    dataset
DELETE {api}/3.0/mlflow/datasets/{dataset_id}/records                  mlflow:delete    dataset
DELETE {api}/3.0/mlflow/datasets/{dataset_id}                          mlflow:delete    dataset

POST   {api}/3.0/mlflow/issues/search                                  mlflow:read      issue
GET    {api}/3.0/mlflow/issues/{issue_id}                              mlflow:read      issue
POST   {api}/3.0/mlflow/issues                                         mlflow:write     issue
PATCH  {api}/3.0/mlflow/issues/{issue_id}                              mlflow:write     issue
GET    {api}/3.0/mlflow/label-schemas/get                              mlflow:read      label-schema
GET    {api}/3.0/mlflow/label-schemas/get-by-name                      mlflow:read      label-schema
GET    {api}/3.0/mlflow/label-schemas/list                             mlflow:read      label-schema
POST   {api}/3.0/mlflow/label-schemas/create                           mlflow:write     label-schema
PATCH  {api}/3.0/mlflow/label-schemas/update                           mlflow:write     label-schema
DELETE {api}/3.0/mlflow/label-schemas/delete                           mlflow:delete    label-schema
GET    {api}/3.0/mlflow/review-queues/get                              mlflow:read      review-queue
GET    {api}/3.0/mlflow/review-queues/get-by-name                      mlflow:read      review-queue
GET    {api}/3.0/mlflow/review-queues/list                             mlflow:read      review-queue
GET    {api}/3.0/mlflow/review-queues/items/list                       mlflow:read      review-queue
POST   {api}/3.0/mlflow/review-queues/create                           mlflow:write     review-queue
POST   {api}/3.0/mlflow/review-queues/update                           mlflow:write     review-queue
POST   {api}/3.0/mlflow/review-queues/get-or-create-user               mlflow:write     review-queue
POST   {api}/3.0/mlflow/review-queues/items/add                        mlflow:write     review-queue
POST   {api}/3.0/mlflow/review-queues/items/set-status                 mlflow:write     review-queue
POST   {api}/3.0/mlflow/review-queues/items/remove                     mlflow:delete    review-queue
POST   {api}/3.0/mlflow/review-queues/delete                           mlflow:delete    review-queue

GET    {api}/3.0/mlflow/workspaces                                     mlflow:admin     workspace
POST   {api}/3.0/mlflow/workspaces                                     mlflow:admin     workspace
GET    {api}/3.0/mlflow/workspaces/{workspace_name}                    mlflow:admin     workspace
PATCH  {api}/3.0/mlflow/workspaces/{workspace_name}                    mlflow:admin     workspace
DELETE {api}/3.0/mlflow/workspaces/{workspace_name}                    mlflow:admin     workspace

GET    {api}/3.0/mlflow/server-info                                    -                server
GET    version                                                         -                server
GET    health                                                          -                server
"""


@dataclass(frozen=True, slots=True)
class Route:
    """One row: what a call to (method, template) needs and how its bytes travel."""

    method: str
    template: str
    scope: str | None
    resource: str
    traffic: Traffic

    @property
    def operation(self) -> str:
        """The same word for all aliases of one handler: the template below its prefix."""
        below = self.template.removeprefix("ajax-api/").removeprefix("api/")
        return f"{self.method} {below}"

    @property
    def reads_json(self) -> bool:
        return self.traffic == "metadata" and not self.template.endswith("/upload-artifact")

    @property
    def is_artifact(self) -> bool:
        return self.scope is not None and self.scope.startswith("artifact:")

    @property
    def fixed_length(self) -> int:
        """How many segments stand before the artifact's path."""
        return len(self.template.removesuffix(f"/{_TAIL}").split("/"))

    @property
    def is_native_artifact(self) -> bool:
        """Whether MLflow serves it by its streaming router, which ignores the static prefix (server/fastapi_app)."""
        return self.template.endswith("/mlflow-artifacts/artifacts/{artifact_path}") and self.method in {"GET", "PUT"}

    @property
    def is_listing(self) -> bool:
        return self.template.endswith("/mlflow-artifacts/artifacts")

    @property
    def is_server_info(self) -> bool:
        return self.template.endswith("/server-info")


_TAIL = "{artifact_path}"


class Table:
    """Rows in their order, and how one is found; what is in no row does not exist."""

    def __init__(self, text: str) -> None:
        self.rows = tuple(_parse(text))
        self._index = defaultdict(list)
        # Rows with fewer placeholders first: ``logged-models/search`` is not a model of that id.
        for row in sorted(self.rows, key=lambda row: row.template.count("{")):
            parts = _parts(row.template)
            self._index[row.method, 0 if _TAIL in parts else len(parts)].append((parts, row))

    def find(self, method: str, segments: tuple[str, ...]) -> Route | None:
        """Return the row for a decoded path, or None.

        HEAD is the GET of a download, and nothing else: MLflow answers it with an error elsewhere.
        """
        is_head = method == "HEAD"
        for length in (len(segments), 0):
            for parts, row in self._index.get(("GET" if is_head else method, length), ()):
                if _matches(parts, segments) and (not is_head or row.traffic == "transfer"):
                    return row
        return None


def _parse(text: str) -> Iterator[Route]:
    for line in filter(None, text.splitlines()):
        method, template, scope, resource, *traffic = line.split()
        for form in ("api", "ajax-api") if "{api}" in template else ("",):
            kind: Traffic = traffic[0] if traffic else "metadata"  # type: ignore[assignment]
            yield Route(method, template.replace("{api}", form), None if scope == "-" else scope, resource, kind)


def _parts(template: str) -> tuple[str, ...]:
    return tuple(filter(None, template.split("/")))


def _matches(parts: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if parts[-1:] == (_TAIL,):
        return len(segments) >= len(parts) and segments[: len(parts) - 1] == parts[:-1]
    return len(parts) == len(segments) and all(
        part == segment or part.startswith("{") for part, segment in zip(parts, segments, strict=True)
    )


_TABLE = Table(TABLE)
ROUTES = _TABLE.rows


def find(method: str, segments: tuple[str, ...]) -> Route:
    """Return the row of TABLE for a decoded path; raises RouteUnknownError for everything that is not in it."""
    # Rows of artifacts take a path of any length, and rarely the same one twice.
    return _remembered(method, segments) if len(segments) <= REMEMBERED_SEGMENTS else _find(method, segments)


def _find(method: str, segments: tuple[str, ...]) -> Route:
    row = _TABLE.find(method, segments)
    if row is None:
        raise RouteUnknownError(
            f"No such endpoint behind the portal, which knows MLflow {MLFLOW_SERIES}. {_advice(segments)}"
        )
    return row


_remembered = lru_cache(maxsize=REMEMBERED)(_find)


def _advice(segments: tuple[str, ...]) -> str:
    if segments[-2:] == ("experiments", "list"):
        return "experiments/list ended with MLflow 2: use experiments/search."
    return "MLFLOW_TRACKING_URI should end in /api/mlflow."
