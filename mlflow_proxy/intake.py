"""Reads and checks what a caller sends before MLflow or the store sees it; knows limits, and decides no right."""

from collections.abc import Mapping

from rest_framework.request import Request

from apikeys.fields import Fields
from mlflow_proxy import belongings, conf, inflation, parameters
from mlflow_proxy.bodies import RequestBody
from mlflow_proxy.exceptions import BodyRefusedError, CodingRefusedError, PreconditionFailedError
from mlflow_proxy.routes import Route

# Neither MLflow nor the direct mode keeps them on a write, and a write without them is another one.
WRITE_CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")


def take(
    request: Request, body: RequestBody, route: Route, workspace: str | None, sent: Mapping[str, str]
) -> bytes | RequestBody | None:
    """Return what is to be sent on: the whole body, checked, or for a transfer the body itself, yet unread.

    ``sent`` is what MLflow is told of the call, should it have to be asked. Raises BodyRefusedError, BodyTooLargeError,
    CodingRefusedError, PreconditionFailedError, UploadTruncatedError and those of ``parameters`` and ``belongings``.
    """
    if (connection := request.META.get("gunicorn.socket")) is not None:
        # Else a caller who goes silent in the middle would hold its thread for ever.
        connection.settimeout(conf.transfer_timeout())
    if request.method in {"GET", "HEAD"}:
        # MLflow reads parameters from it, which nobody upstream of MLflow has looked at.
        if not body.is_absent:
            raise BodyRefusedError(f"{request.method} carries no body here. Use the query.")
        return None
    received = Fields(request.META)
    if route.is_artifact:
        _refuse_half_meant(received)
    coding = received.get("Content-Encoding", "")
    if route.traffic == "stream":
        raw = body.read_whole(conf.max_json_bytes())
        plain = inflation.inflate(raw, coding, conf.max_json_bytes())
        parameters.check_spans(plain, received.get("Content-Type", ""))
        return raw
    if route.traffic == "metadata":
        if coding:
            raise CodingRefusedError("This operation reads no compressed body.")
        # MLflow's bridge reads a chunked body as empty: it gets the whole, with its length.
        raw = body.read_whole(conf.max_json_bytes())
        if raw and route.reads_json:
            document = parameters.parse_json(raw)
            parameters.check_document(document, route, workspace)
            belongings.refuse_foreign_models(document, route, workspace, sent)
        return raw or None
    return body


def _refuse_half_meant(received: Fields) -> None:
    if "Content-Range" in received:
        raise BodyRefusedError("A part of a file cannot be stored (Content-Range). Send the whole.")
    if any(name in received for name in WRITE_CONDITIONS):
        raise PreconditionFailedError(f"A write takes no condition here. Leave {', '.join(WRITE_CONDITIONS)} out.")
