"""What a browser is shown: MLflow's pages under the portal's headers, and refusals that people can read; sends nothing.

MLflow's own headers for browsers are gone by then: replies.relay lets none of them through.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from mlflow_proxy import headers, replies
from mlflow_proxy.routes import Route
from mlflow_proxy.ui import routes

# Measured in Chromium: as strict as MLflow's bundle runs under. docs/ui.md says what each exception is for.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' blob:",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "frame-src": "blob:",
    "media-src": "blob:",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
HARDENING = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
SIGN_IN = "sign-in"
LASTING = "private, max-age=31536000, immutable"
COMPRESSIBLE = ("text/", "application/json", "image/svg+xml", "font/ttf")
# Measured on main.js, 4.4 MB: level 4 makes 1.30 MB of it in 140 ms, level 6 makes 1.23 MB in 250 ms.
LEVEL = 4
GZIP = 16 + zlib.MAX_WBITS


def dress(reply: HttpResponseBase, route: Route, segments: tuple[str, ...], accepted: str) -> HttpResponseBase:
    """Return the reply for a browser; ``accepted`` is its Accept-Encoding."""
    # No other page may take what is served here for its own script, picture or frame.
    reply["Cross-Origin-Resource-Policy"] = "same-origin"
    if route.resource not in {"page", "asset"}:
        return reply
    for name, value in HARDENING.items():
        reply[name] = value
    if route.resource == "asset" and routes.is_lasting(segments) and reply.status_code == 200:
        reply["Cache-Control"] = LASTING
    if _is_worth_compressing(reply, accepted):
        _compress(reply)
    return reply


def _is_worth_compressing(reply: HttpResponseBase, accepted: str) -> bool:
    is_plain = reply.status_code == 200 and "Content-Encoding" not in reply
    codings = {coding.partition(";")[0].strip() for coding in accepted.lower().split(",")}
    return is_plain and "gzip" in codings and reply.get("Content-Type", "").startswith(COMPRESSIBLE)


def _compress(reply: HttpResponseBase) -> None:
    if isinstance(reply, StreamingHttpResponse):
        reply.streaming_content = _gzipped(cast("Iterable[bytes]", reply.streaming_content))
    elif isinstance(reply, HttpResponse):
        reply.content = b"".join(_gzipped((reply.content,)))
    reply["Content-Encoding"] = "gzip"
    # They belong to the bytes before compression.
    for name in ("Content-Length", "ETag", "Accept-Ranges"):
        del reply[name]
    patch_vary_headers(reply, ("Accept-Encoding",))


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def refused(request: HttpRequest, refusal: replies.ErrorReply) -> replies.ErrorReply:
    """Return a page for a refusal; who is not signed in is led to sign in, and back from there."""
    if refusal.status_code == 401:
        page = replies.ErrorReply(
            status=302, headers={"Location": redirect_to_login(request.get_full_path(), SIGN_IN).url}
        )
    else:
        facts = {"status": refusal.status_code, "sentence": refusal.sentence, "request_id": replies.request_id()}
        text = render_to_string("mlflow_proxy/ui/refused.html", facts, request)
        page = replies.ErrorReply(text, status=refusal.status_code)
    for name, value in headers.HARDENING.items():
        page[name] = value
    page.reason = refusal.reason
    return page
