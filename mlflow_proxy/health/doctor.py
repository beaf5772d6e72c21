"""Walks the way of a client, hop by hop, from outside, and stops at the first that fails; leaves nothing behind.

Knows the portal by its address and a key alone. A walk yields a Probe for each hop as it ends.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mlflow_proxy.health import roads
from mlflow_proxy.health.answers import Outcome, Probe, elapsed_ms, failed, passed, unknown
from mlflow_proxy.health.diagnosis import Reply, excerpt, explain
from mlflow_proxy.health.parcels import Pattern
from mlflow_proxy.health.visitors import HopFailedError, Visitor

SMALL = b"written by the doctor, and to be deleted by it"
LARGE_BYTES = 64 * 1024**2
TITLES = {
    "address": "address resolves",
    "connection": "connection is taken",
    "tls": "certificate is valid",
    "front": "portal answers",
    "route": "calls reach the portal",
    "key": "key is accepted",
    "mlflow": "MLflow answers",
    "small_file": "small file is stored",
    "large_file": "large file is stored",
    "multipart": "parts go to the store",
    "download": "large file comes back",
    "range": "part of a file comes",
    "delete": "files are deleted",
}
_LIST = "/api/2.0/mlflow/experiments/search?max_results=1"
_SERVER_INFO = "/api/3.0/mlflow/server-info"
_ARTIFACTS = "/api/2.0/mlflow-artifacts"
KEY_REFUSALS = {401, 403, 429}
REACH_HINT = (
    "Callers here cannot use the store's public address. Correct HOKUSAI_S3_PUBLIC_ENDPOINT_URL, open the way, "
    "or send the bytes through the portal: manage.py presign_service SERVICE off"
)


def unwatched(hop: str, done: int, total: int) -> None:
    """Nobody wants to know how far a hop is."""


@dataclass(slots=True)
class Walk:
    """A walk from outside to ``tracking_uri`` and back; iterate to take it.

    ``on_progress`` is told the hop, and how many bytes of how many have moved.
    """

    portal: str
    tracking_uri: str
    key: str
    on_progress: Callable[[str, int, int], None] = unwatched
    large_bytes: int = LARGE_BYTES
    visitor: Visitor = field(init=False)
    large: Pattern = field(init=False)
    folder: str = field(init=False)
    stored: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.visitor = Visitor(self.key)
        self.large = Pattern(self.large_bytes, lambda done: self.on_progress("large_file", done, self.large_bytes))
        self.folder = f"0/{uuid.uuid4().hex}/artifacts"

    def __iter__(self) -> Iterator[Probe]:
        try:
            for name, hop in self._hops():
                probe = _timed(name, hop)
                yield probe
                if probe.status == "failed":
                    return
        finally:
            self._tidy()
            self.visitor.close()

    def _hops(self) -> Iterator[tuple[str, Callable[[], Outcome]]]:
        url = urlsplit(self.portal)
        yield "address", lambda: roads.resolve(url)
        yield "connection", lambda: roads.connect(url)
        if url.scheme == "https":
            yield "tls", lambda: roads.handshake(url)
        yield from (
            ("front", self.front),
            ("route", self.route),
            ("key", self.accept_key),
            ("mlflow", self.mlflow),
            ("small_file", self.small_file),
            ("large_file", self.large_file),
            ("multipart", self.multipart),
            ("download", self.download),
            ("range", self.range),
            ("delete", self.delete),
        )

    def front(self) -> Outcome:
        reply = self.visitor.ask("GET", f"{self.portal}/health", with_key=False)
        if reply.status == 200 and "version" in reply.document:
            return passed(f"version {reply.document['version']}")
        if reply.status == 200 and not reply.is_page:
            hint = "Another server listens at this address; MLflow itself answers OK. Point it at the portal."
            return failed("NOT_THE_PORTAL", f"/health says {excerpt(reply)}", hint)
        return explain(reply, self.portal)

    def route(self) -> Outcome:
        """Ask without a key: whatever the path, the portal says that it needs one."""
        reply = self.visitor.ask("GET", self.tracking_uri + _LIST, with_key=False)
        if reply.status == 401 and reply.is_portals:
            return passed("and a call without a key is refused")
        if reply.status == 200 and "experiments" in reply.document:
            hint = "MLflow can be reached past the portal. Close that road before anything else."
            return failed("OPEN_WITHOUT_KEY", "MLflow answers without a key", hint)
        return explain(reply, self.tracking_uri)

    def accept_key(self) -> Outcome:
        reply = self.visitor.ask("GET", self.tracking_uri + _LIST)
        return explain(reply, self.tracking_uri) if reply.status in KEY_REFUSALS else passed()

    def mlflow(self) -> Outcome:
        reply = self.visitor.ask("GET", self.tracking_uri + _LIST)
        if reply.status == 200 and not reply.is_page:
            return passed()
        return explain(reply, self.tracking_uri)

    def small_file(self) -> Outcome:
        return self._put("small.txt", SMALL)

    def large_file(self) -> Outcome:
        return self._put("large.bin", self.large)

    def multipart(self) -> Outcome:
        told = self.visitor.ask("GET", self.tracking_uri + _SERVER_INFO).document
        if told.get("multipart_uploads_enabled") is not True:
            hint = "Nothing to do: the portal carries the bytes. manage.py presign_service changes that."
            return unknown("PRESIGNED_OFF", "switched off for this service", hint)
        begun = self._post("create", {"path": "parts.bin", "num_parts": 1})
        (part,) = begun["credentials"]
        upload = {"path": "parts.bin", "upload_id": begun["upload_id"]}
        try:
            reply = self.visitor.ask("PUT", part["url"], with_key=False, data=SMALL, headers=part.get("headers") or {})
        except HopFailedError as error:
            self._post("abort", upload)
            return failed("STORE_NOT_REACHED", f"{urlsplit(part['url']).netloc}: {error.outcome.reason}", REACH_HINT)
        if reply.status != 200:
            self._post("abort", upload)
            return failed("STORE_NOT_REACHED", f"status {reply.status}: {excerpt(reply)}", REACH_HINT)
        self.stored.append("parts.bin")
        parts = [{"part_number": 1, "etag": reply.headers.get("ETag", ""), "url": part["url"]}]
        self._post("complete", upload | {"parts": parts})
        return passed(f"at {urlsplit(part['url']).netloc}")

    def download(self) -> Outcome:
        digest, count = hashlib.sha256(), 0

        def take(piece: bytes) -> None:
            nonlocal count
            digest.update(piece)
            count += len(piece)
            self.on_progress("download", count, self.large_bytes)

        reply = self.visitor.stream(self._artifact("large.bin"), on_piece=take)
        if reply.status == 307:
            # The store's own address, for services that have signed ones.
            try:
                reply = self.visitor.stream(reply.headers["Location"], with_key=False, on_piece=take)
            except HopFailedError as error:
                return failed("STORE_NOT_REACHED", error.outcome.reason, REACH_HINT)
        if reply.status != 200 or reply.is_page:
            return self._explained(reply)
        if count != self.large_bytes:
            hint = "Something between cuts replies and calls them whole: see its buffers and limits."
            return failed("SHORT_BODY", f"{count:,} of {self.large_bytes:,} bytes", hint)
        if not self.large.is_digest(digest.hexdigest()):
            hint = "Something between changes bytes: compression, a scanner, a cache. Leave it out for artifacts."
            return failed("BYTES_DIFFER", f"{count:,} bytes, and others than were sent", hint)
        return passed(f"{count:,} bytes, unchanged")

    def range(self) -> Outcome:
        first, end = self.large_bytes // 2, self.large_bytes // 2 + 100
        asked = {"Range": f"bytes={first}-{end - 1}"}
        reply = self.visitor.ask("GET", self._artifact("large.bin"), headers=asked)
        if (reply.status, reply.body) == (206, self.large.between(first, end)):
            return passed("100 bytes of the middle")
        if reply.status == 200:
            hint = (
                "Something between drops the header Range, or MLflow moves the bytes: interrupted downloads begin anew."
            )
            return failed("RANGE_IGNORED", "status 200 with the whole file", hint)
        return self._explained(reply)

    def delete(self) -> Outcome:
        for name in tuple(self.stored):
            reply = self.visitor.ask("DELETE", self._artifact(name))
            if reply.status != 200:
                outcome = self._explained(reply)
                return outcome._replace(
                    hint=f"{outcome.hint} These files stay: {', '.join(self.stored)} in {self.folder}."
                )
            self.stored.remove(name)
        reply = self.visitor.ask("GET", self._artifact("small.txt"))
        if reply.status == 404:
            return passed("and is gone")
        return failed(
            "NOT_DELETED", f"status {reply.status} for a deleted file", "A cache before the portal? It must not be."
        )

    def _put(self, name: str, content: bytes | Pattern) -> Outcome:
        # Also after an answer that never came: it may have arrived.
        self.stored.append(name)
        reply = self.visitor.ask("PUT", self._artifact(name), data=content)
        return passed(f"{len(content):,} bytes") if reply.status == 200 else self._explained(reply)

    def _post(self, verb: str, document: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.tracking_uri}{_ARTIFACTS}/mpu/{verb}/{self.folder}"
        reply = self.visitor.ask("POST", url, json=document)
        if reply.status != 200:
            raise HopFailedError(self._explained(reply))
        return reply.document

    def _artifact(self, name: str) -> str:
        return f"{self.tracking_uri}{_ARTIFACTS}/artifacts/{self.folder}/{name}"

    def _explained(self, reply: Reply) -> Outcome:
        return explain(reply, self.tracking_uri)

    def _tidy(self) -> None:
        for name in self.stored:
            with suppress(HopFailedError):
                self.visitor.ask("DELETE", self._artifact(name))


def _timed(name: str, hop: Callable[[], Outcome]) -> Probe:
    started = time.perf_counter()
    try:
        outcome = hop()
    except HopFailedError as error:
        outcome = error.outcome
    return Probe(name, outcome.status, elapsed_ms(started), outcome.reason, outcome.detail, outcome.hint)
