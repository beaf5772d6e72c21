"""Where trials take place: a portal, the store behind it, and the proxy between them that fails on command.

The store is looked at directly, never through the portal.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from botocore.exceptions import ClientError

from tests.live.faulty import FaultyProxy
from tests.live.processes import ROOT
from tests.live.stack import BUCKET, PREFIX, Portal, Store

if TYPE_CHECKING:
    from tests.live.conftest import Stack

MIB = 1024**2
# The fault of one trial shall not keep the next from the store.
UNPROTECTED = {"HOKUSAI_BREAKERS": "false"}
# Issues and revokes keys as the commands do, without a new process for each.
CLERK = """
import sys, django
django.setup()
from apikeys import actions, scopes
from apikeys.models import DEFAULT_SERVICE, Service
from apikeys.management.base import find_key
someone = actions.Actor(name="trials")
for line in sys.stdin:
    word, _, key = line.strip().partition(" ")
    if word == "issue":
        service = Service.objects.get(service_id=DEFAULT_SERVICE)
        scopes_of = scopes.PRESETS["operator"]
        issued = actions.issue_key(service=service, name="trial", scopes=scopes_of, actor=someone)
        print(issued.secret.text, flush=True)
    else:
        actions.revoke_key(key=find_key(key), reason="trial", actor=someone)
        print("done", flush=True)
"""


@dataclass(frozen=True)
class Content:
    """Bytes that a seed stands for: made as they are sent, no two blocks and no two seeds alike."""

    seed: int
    size: int

    def blocks(self) -> Iterator[bytes]:
        filling = random.Random(self.seed).randbytes(min(self.size, MIB))
        for number in range(-(-self.size // MIB)):
            block = (number.to_bytes(8, "big") + filling[8:]) if number else filling
            yield block[: min(MIB, self.size - number * MIB)]

    def digest(self) -> str:
        sum_ = hashlib.sha256()
        for block in self.blocks():
            sum_.update(block)
        return sum_.hexdigest()


class Clerk:
    """Issues and ends keys of a portal, through the portal's own actions."""

    def __init__(self, portal: Portal) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLERK],
            env=portal.environment | {"DJANGO_SETTINGS_MODULE": "hokusai_portal.settings"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def issue(self) -> str:
        return self._ask("issue")

    def revoke(self, key: str) -> None:
        # The part that lists and logs show: it ends before the secret.
        head, env, rest = key.split("_")
        assert self._ask(f"revoke {head}_{env}_{rest[:12]}") == "done"

    def _ask(self, line: str) -> str:
        with self._lock:
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            while answer := self._process.stdout.readline().strip():
                if not answer.startswith("{"):
                    return answer
        raise AssertionError("the clerk has left")

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class BucketPlace:
    """The bucket, as boto3 sees it."""

    def __init__(self, store: Store) -> None:
        self.client = store.client()
        words = [word.partition("=") for word in store.program.command]
        self._master = next(f"http://127.0.0.1:{value}" for name, _, value in words if name == "-master.port")

    def put(self, path: str, content: Content) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}", Body=b"".join(content.blocks()))

    def digest(self, path: str) -> str | None:
        try:
            body = self.client.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}")["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None
        sum_ = hashlib.sha256()
        for piece in body.iter_chunks(MIB):
            sum_.update(piece)
        return sum_.hexdigest()

    def drop(self, path: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}")

    def leftovers(self) -> list[str]:
        """Return the keys of the uploads that never ended."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET)
        return [upload["Key"] for page in pages for upload in page.get("Uploads", ())]

    def vacuum(self) -> None:
        """Give back the disk space of what was deleted."""
        requests.get(f"{self._master}/vol/vacuum?garbageThreshold=0.05", timeout=600)


class FolderPlace:
    """The folder, as the file system shows it."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def put(self, path: str, content: Content) -> None:
        file = self._root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.write_bytes(b"".join(content.blocks()))
        draft.replace(file)

    def digest(self, path: str) -> str | None:
        try:
            with (self._root / path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def drop(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    def leftovers(self) -> list[str]:
        drafts = self._root / ".hokusai-uploads"
        return sorted(draft.name for draft in drafts.iterdir()) if drafts.exists() else []

    def vacuum(self) -> None:
        """A folder gives back space by itself."""


@dataclass
class Ground:
    """A portal under trial; ``proxy`` stands between it and what it sends the bytes to, where there is a wire."""

    name: str
    portal: Portal
    place: BucketPlace | FolderPlace
    clerk: Clerk
    is_direct: bool
    proxy: FaultyProxy | None = None
    # When workers were killed.
    kills: list[float] = field(default_factory=list)

    def kill(self, worker: int, number: int = signal.SIGKILL) -> None:
        if worker in self.portal.workers:
            if number == signal.SIGKILL:
                self.kills.append(time.monotonic())
            os.kill(worker, number)

    def sweep(self) -> Any:
        return self.portal.manage("sweep_uploads", "--older-than-hours", "0")


@contextmanager
def opened(stack: "Stack") -> Iterator[dict[str, Ground]]:
    """Yield the grounds by name, each with a portal of its own, whose workers trials may kill."""
    proxies = {
        "bucket": FaultyProxy(stack.store.endpoint),
        "forwarding": FaultyProxy(stack.local.mlflow.url, rewrites_host=True),
        "forwarding to s3": FaultyProxy(stack.s3.mlflow.url, rewrites_host=True),
    }
    through_proxy = stack.store.environment() | {"HOKUSAI_S3_ENDPOINT_URL": proxies["bucket"].url}
    portals = {
        "bucket": stack.direct_twin(stack.s3, "portal-ground-bucket", **through_proxy, **UNPROTECTED),
        "folder": stack.direct_twin(stack.local, "portal-ground-folder", **UNPROTECTED),
        "forwarding": stack.twin(
            stack.local, "portal-ground-local", MLFLOW_SERVER_URL=proxies["forwarding"].url, **UNPROTECTED
        ),
        "forwarding to s3": stack.twin(
            stack.s3, "portal-ground-s3", MLFLOW_SERVER_URL=proxies["forwarding to s3"].url, **UNPROTECTED
        ),
    }
    for starting in (*proxies.values(), *portals.values()):
        starting.start()
    for portal in portals.values():
        portal.wait_until_ready()
    clerks = {twin: Clerk(twin) for twin in (stack.local, stack.s3)}
    bucket, folder = BucketPlace(stack.store), FolderPlace(stack.local.mlflow.destination)
    yield {
        name: Ground(
            name,
            portal,
            place=bucket if portal.twin is stack.s3 else folder,
            clerk=clerks[portal.twin or portal],
            is_direct=name in {"bucket", "folder"},
            proxy=proxies.get(name),
        )
        for name, portal in portals.items()
    }
    for clerk in clerks.values():
        clerk.end()
    for portal in portals.values():
        portal.end()
    for proxy in proxies.values():
        proxy.end()
