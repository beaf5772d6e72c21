"""Answer MLflow's artifact protocol from the store itself; judges no right, and leaves the bytes to the store."""

from collections.abc import Callable, Iterator, Mapping
from mimetypes import guess_type
from pathlib import PurePosixPath
from types import MappingProxyType

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header, http_date

from mlflow_proxy import conf, headers, replies
from mlflow_proxy.artifacts import handouts, locations, paths, stores
from mlflow_proxy.artifacts.calls import Call
from mlflow_proxy.artifacts.handouts import is_presigning
from mlflow_proxy.bodies import RequestBody

# What MLflow shows as text whatever the system's table of types says (utils/mime_type_utils).
TEXT_EXTENSIONS = frozenset(
    (
        *("txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon", "toml", "yaml", "yml"),
        *("xml", "json", "js", "py", "py3", "csv", "tsv", "md", "rst", "ipynb", "MLmodel", "MLproject"),
    )
)
NO_CONTENT_STATUSES = {304}


def entries(call: Call) -> HttpResponse:
    """List what is directly below a path, as MLflow's client reads it; a file and what is not there list nothing."""
    path = paths.fully_decoded(call.query.get("path", "")).removesuffix("/")
    files = [
        {"path": entry.name, "is_dir": entry.is_folder} | ({} if entry.size is None else {"file_size": entry.size})
        for entry in stores.current().entries(call.in_store(path))
    ]
    return replies.json_reply({"files": files})


def download(call: Call) -> HttpResponseBase:
    """Stream an artifact, whole or a range of it."""
    return _download(call, call.path)


def download_of_run(call: Call) -> HttpResponseBase | None:
    return _download_found(call, locations.of_run(call.query, call.sent))


def download_of_model_version(call: Call) -> HttpResponseBase | None:
    return _download_found(call, locations.of_model_version(call.query, call.sent))


def download_of_logged_model(call: Call) -> HttpResponseBase | None:
    position = call.route.template.split("/").index("{model_id}")
    model_id = call.target.segments[position]
    return _download_found(call, locations.of_logged_model(model_id, call.query, call.sent))


def upload(call: Call) -> HttpResponse:
    """Store the body whole, or leave what was there."""
    pieces = call.body if isinstance(call.body, RequestBody) else ()
    stores.current().save(call.path, pieces, before_commit=call.before_commit)
    reply = HttpResponse(headers=headers.HARDENING)
    del reply["Content-Type"]
    return reply


def remove(call: Call) -> HttpResponse:
    """Remove an artifact, or a folder with all below it; what is not there is no error, as with MLflow."""
    stores.current().remove(call.path)
    return replies.json_reply({})


Handler = Callable[[Call], HttpResponseBase | None]
# Answered here in either mode: MLflow would sign for whoever asks.
HANDOUTS: Mapping[str, Handler] = MappingProxyType(
    {
        "POST 2.0/mlflow-artifacts/mpu/create/{artifact_path}": handouts.create_upload,
        "POST 2.0/mlflow-artifacts/mpu/complete/{artifact_path}": handouts.complete_upload,
        "POST 2.0/mlflow-artifacts/mpu/abort/{artifact_path}": handouts.abort_upload,
        "GET 2.0/mlflow-artifacts/presigned/{artifact_path}": handouts.presign_download,
    }
)
HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "GET 2.0/mlflow-artifacts/artifacts": entries,
        "GET 2.0/mlflow-artifacts/artifacts/{artifact_path}": download,
        "PUT 2.0/mlflow-artifacts/artifacts/{artifact_path}": upload,
        "DELETE 2.0/mlflow-artifacts/artifacts/{artifact_path}": remove,
        "GET get-artifact": download_of_run,
        "GET model-versions/get-artifact": download_of_model_version,
        "GET 2.0/mlflow/logged-models/{model_id}/artifacts/files": download_of_logged_model,
    }
)


def answer(call: Call) -> HttpResponseBase | None:
    """Return the portal's own answer, None for what MLflow is to answer."""
    operation = call.route.operation
    handler = HANDOUTS.get(operation) or (HANDLERS.get(operation) if conf.is_direct() else None)
    return handler(call) if handler else None


def content_type(name: str) -> str:
    """Return the type that MLflow gives a file of this name."""
    file = PurePosixPath(name)
    if (file.suffix.removeprefix(".") or file.name) in TEXT_EXTENSIONS:
        return "text/plain"
    return guess_type(file.name)[0] or "application/octet-stream"


def _download_found(call: Call, path: str | None) -> HttpResponseBase | None:
    return None if path is None else _download(call, call.in_store(path))


def _download(call: Call, path: str) -> HttpResponseBase:
    conditions = _conditions(call)
    if is_presigning(call.key) and call.method == "GET" and conditions == stores.Conditions():
        redirect = handouts.redirect_if_large(call, path)
        if redirect is not None:
            return redirect
    found = stores.current().fetch(path, conditions, is_head=call.method == "HEAD")
    begun = _BegunPieces(found.pieces)
    name = PurePosixPath(path).name
    facts = {
        "ETag": found.etag,
        "Last-Modified": http_date(found.modified_at.timestamp()) if found.modified_at else "",
        "Accept-Ranges": "bytes",
        "Content-Range": found.content_range,
        "Content-Disposition": content_disposition_header(True, name) or "",
    }
    if found.status not in NO_CONTENT_STATUSES:
        facts |= {"Content-Length": str(found.length), "Content-Type": content_type(name)}
    reply = StreamingHttpResponse(begun, status=found.status)
    del reply["Content-Type"]
    for word, value in headers.inbound(((word, value) for word, value in facts.items() if value), call.route).items():
        reply[word] = value
    return reply


class _BegunPieces:
    """Pieces of which the first is here already: what fails before it is an error with a reason, and not a cut."""

    def __init__(self, pieces: stores.Pieces) -> None:
        self._pieces, self._rest = pieces, iter(pieces)
        try:
            self._first = next(self._rest, b"")
        except BaseException:
            pieces.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        # Held no longer than until it is sent.
        self._first = b""
        yield from self._rest

    def close(self) -> None:
        self._pieces.close()


def _conditions(call: Call) -> stores.Conditions:
    received = call.headers
    return stores.Conditions(
        # A range means something to a GET alone (RFC 9110 §14.2).
        byte_range=received.get("Range", "") if call.method == "GET" else "",
        if_range=received.get("If-Range", ""),
        if_match=received.get("If-Match", ""),
        if_none_match=received.get("If-None-Match", ""),
    )
