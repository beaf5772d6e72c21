"""Ask MLflow a question of the portal's own on behalf of a call, in the call's workspace; judges no answer."""

from collections.abc import Mapping

from mlflow_proxy import conf, headers, upstream

MAXIMUM_BYTES = 4 * 1024**2
# Of the caller's own headers none: a range or a condition is not about this question.
_TOLD = ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID", headers.HOP_HEADER, headers.WORKSPACE_HEADER)


def ask(target: str, sent: Mapping[str, str]) -> tuple[int, bytes]:
    """Return status and body of MLflow's answer; ``sent`` is what it is told of the call. Raises UpstreamError."""
    told = {name: sent[name] for name in _TOLD if name in sent} | {"Accept-Encoding": "identity"}
    response = upstream.send("GET", conf.static_prefix() + target, told)
    return response.status, upstream.read(response, MAXIMUM_BYTES)
