"""A portal that the stub plays well, for the doctor to walk to; a test breaks one thing of it."""

import json
import re
from collections.abc import Callable, Iterator

from tests.mlflow_proxy.stub import Answer, Seen, ok

KEY = "hk_live_" + "D" * 12 + "E" * 34 + "F" * 6
ERROR = {"error_code": "X", "message": "told so", "detail": "told so", "request_id": "req-7"}


def refusal(status: str, reason: str, **facts: object) -> bytes:
    """Return an error as the portal words it."""
    return ok(json.dumps(ERROR | {"reason": reason} | facts).encode(), "X-Request-ID: req-7", status=status)


def page(status: str = "200 OK", text: str = "<html>Sign in</html>", *lines: str) -> bytes:
    """Return what something before the portal says."""
    return ok(text.encode(), "Content-Type: text/html", *lines, status=status)


class GoodPortal:
    """Keeps files in memory, for ``keys`` of a pattern.

    ``broken`` maps a pattern over ``METHOD target`` to the answer given instead.
    """

    def __init__(self, store_url: str = "", keys: str = KEY) -> None:
        self.keys = re.compile(f"Bearer {keys}")
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, Callable[[Seen], Answer] | bytes] = {}
        self.store_url = store_url

    def script(self, seen: Seen) -> Answer:
        for pattern, answer in self.broken.items():
            if re.search(pattern, f"{seen.method} {seen.target}"):
                return Answer([answer]) if isinstance(answer, bytes) else answer(seen)
        return Answer(self._answer(seen))

    def _answer(self, seen: Seen) -> Iterator[bytes]:
        target = seen.target.partition("?")[0]
        is_known = self.keys.fullmatch(seen.header("Authorization") or "") is not None
        if target == "/health":
            yield ok(b'{"status": "ok", "version": "0.1.0"}')
        elif target.startswith("/store/"):
            self.files[target.rpartition("/")[2]] = seen.body
            yield ok(b"", 'ETag: "e1"')
        elif not is_known:
            yield refusal("401 Unauthorized", "UNAUTHENTICATED")
        elif target.endswith("/experiments/search"):
            yield ok(b'{"experiments": []}')
        elif target.endswith("/server-info"):
            yield ok(json.dumps({"multipart_uploads_enabled": bool(self.store_url)}).encode())
        elif "/mpu/create/" in target:
            part = {"url": f"{self.store_url}/store/parts.bin?signed=1", "part_number": 1, "headers": {}}
            yield ok(json.dumps({"upload_id": "u", "credentials": [part]}).encode())
        elif "/mpu/" in target:
            yield ok()
        else:
            yield from self._file(seen, target.rpartition("/")[2])

    def _file(self, seen: Seen, name: str) -> Iterator[bytes]:
        if seen.method == "PUT":
            self.files[name] = seen.body
            yield ok(b"")
        elif name not in self.files:
            yield refusal("404 Not Found", "ARTIFACT_MISSING")
        elif seen.method == "DELETE":
            del self.files[name]
            yield ok()
        elif wanted := seen.header("Range"):
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            yield ok(self.files[name][first : last + 1], status="206 Partial Content")
        else:
            yield ok(self.files[name])
