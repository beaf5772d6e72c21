"""Give callers signed addresses of the store, for services that have it switched on; each one is audited.

Off, the answers are those of MLflow before a store without the feature, upon which its client streams. A PUT is never
redirected: the client has sent the whole body by then. Its way past the portal is the multipart upload.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from django.core import signing
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.http import content_disposition_header

from apikeys import actions
from apikeys.models import ApiKey
from apikeys.redaction import redact_keys
from mlflow_proxy import conf, headers, metrics, parameters, replies
from mlflow_proxy.artifacts import paths, stores
from mlflow_proxy.artifacts.calls import Call
from mlflow_proxy.exceptions import ArtifactMissingError, BodyRefusedError, UnsupportedError

# Its client goes on by the beginning of these sentences (mlflow/exceptions.py).
NO_UPLOADS = "Multipart upload is not supported for the current artifact repository"
NO_DOWNLOADS = "Multipart download is not supported for the current artifact repository"
DOWNLOAD_SECONDS = 300
PART_SECONDS = 900
# S3's own limit.
MAXIMUM_PARTS = 10_000
ETAG = re.compile(r'"?[0-9A-Za-z_-]{1,128}"?')
_SALT = "mlflow_proxy.artifacts.handouts"


def create_upload(call: Call) -> HttpResponse:
    """Begin a multipart upload and hand out an address for each of its parts."""
    signer, document = _signer(call, NO_UPLOADS), _document(call)
    path, count = _destination(call, document), document.get("num_parts", 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAXIMUM_PARTS:
        raise BodyRefusedError(f"num_parts must be a number from 1 to {MAXIMUM_PARTS}.")
    _record(call, "PUT", path, PART_SECONDS, parts=count)
    upload_id = signer.begin(path)
    urls = signer.sign_parts(path, upload_id, count, seconds=PART_SECONDS)
    metrics.count_presigned("PUT", len(urls))
    credentials = [{"url": url, "part_number": number, "headers": {}} for number, url in enumerate(urls, start=1)]
    return replies.json_reply({"upload_id": _seal(call, path, upload_id, count), "credentials": credentials})


def complete_upload(call: Call) -> HttpResponse:
    """Make the uploaded parts one artifact."""
    signer, document = _signer(call, NO_UPLOADS), _document(call)
    path = _destination(call, document)
    upload_id, count = _unseal(call, path, document)
    parts = _parts(document.get("parts"), count)
    call.before_commit()
    signer.complete(path, upload_id, parts)
    return replies.json_reply({})


def abort_upload(call: Call) -> HttpResponse:
    """End a multipart upload and drop what came of it."""
    signer, document = _signer(call, NO_UPLOADS), _document(call)
    path = _destination(call, document)
    upload_id, _ = _unseal(call, path, document)
    signer.abort(path, upload_id)
    return replies.json_reply({})


def presign_download(call: Call) -> HttpResponse:
    """Hand out an address for one artifact."""
    found = _sign(call, _signer(call, NO_DOWNLOADS), call.path)
    return replies.json_reply({"url": found.url, "headers": {}, "file_size": found.size})


def redirect_if_large(call: Call, path: str) -> HttpResponse | None:
    """Return a redirect to the store for an artifact of HOKUSAI_REDIRECT_MIN_BYTES or more, else None."""
    signer = stores.signer()
    if signer.size(path) < conf.redirect_min_bytes():
        return None
    # 307 keeps the method, and the client drops its key on the way to another host (RFC 9110 §15.4.8).
    reply = HttpResponseRedirect(_sign(call, signer, path).url, preserve_request=True, headers=headers.HARDENING)
    del reply["Content-Type"]
    return reply


def is_presigning(key: ApiKey) -> bool:
    """Return whether the key's service is given signed addresses, and there is a store that takes them."""
    return key.service.presigned_urls and conf.can_presign()


def _signer(call: Call, sentence: str) -> stores.Signer:
    if not is_presigning(call.key):
        raise UnsupportedError(sentence)
    return stores.signer()


def _sign(call: Call, signer: stores.Signer, path: str) -> stores.SignedDownload:
    disposition = content_disposition_header(True, PurePosixPath(path).name) or "attachment"
    found = signer.sign_download(path, disposition=disposition, seconds=DOWNLOAD_SECONDS)
    _record(call, "GET", path, DOWNLOAD_SECONDS)
    metrics.count_presigned("GET", 1)
    return found


def _record(call: Call, method: str, path: str, seconds: int, **more: object) -> None:
    """Write the audit event before anything is handed out: no address leaves unrecorded."""
    # A name is the caller's own text, and the trail is for ever.
    facts = {"method": method, "path": redact_keys(path), "seconds": seconds} | more
    actions.record_presigned_urls(key=call.key, facts=facts, actor=call.actor)


def _document(call: Call) -> dict[str, Any]:
    return parameters.parse_json(call.body if isinstance(call.body, bytes) else b"")


def _destination(call: Call, document: Mapping[str, Any]) -> str:
    """Return the path in the store: that of the target, and the name of the caller's local file."""
    local = document.get("path")
    if not isinstance(local, str):
        raise BodyRefusedError("path must be the name of the file.")
    # A caller on Windows sends its own kind of path.
    name = local.replace("\\", "/").rpartition("/")[2]
    paths.refuse_ambiguous_segment(name)
    below = (*call.target.segments[call.route.fixed_length :], name)
    paths.refuse_ambiguous_path("/".join(below))
    paths.refuse_shallow(below)
    return call.in_store("/".join(below))


def _parts(listed: Any, count: int) -> list[tuple[int, str]]:
    """Return each part's number and tag; with one left out, the store would make half a file of the others."""
    found = listed if isinstance(listed, list) else []
    parts = [(part.get("part_number"), part.get("etag")) for part in found if isinstance(part, dict)]
    good = {
        number: etag
        for number, etag in parts
        # True is an integer to Python, and the number 1.
        if type(number) is int and isinstance(etag, str) and ETAG.fullmatch(etag)
    }
    if len(found) != count or good.keys() != {*range(1, count + 1)}:
        raise BodyRefusedError(f"parts must name each of the {count} parts once, with part_number and etag.")
    return list(good.items())


def _seal(call: Call, path: str, upload_id: str, count: int) -> str:
    """Bind the store's id to path, number of parts and the key's chain of rotations: nobody else may end it."""
    return signing.dumps([upload_id, count, path, call.key.lineage], salt=_SALT)


def _unseal(call: Call, path: str, document: Mapping[str, Any]) -> tuple[str, int]:
    try:
        upload_id, count, of_path, lineage = signing.loads(str(document.get("upload_id", "")), salt=_SALT)
    except signing.BadSignature:
        raise ArtifactMissingError("There is no such upload.") from None
    if (of_path, lineage) != (path, call.key.lineage):
        raise ArtifactMissingError("There is no such upload.")
    return str(upload_id), int(count)
