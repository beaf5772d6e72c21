"""What an artifact store can do, and the store that the settings name; knows neither HTTP nor a kind of store."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol

from mlflow_proxy import conf
from mlflow_proxy.exceptions import StoreUnavailableError

CANARY = b"written by the portal to see whether it can"
# The words of Store.probe, in order.
FOLDER_STEPS = ("list", "write", "read", "delete")
BUCKET_STEPS = ("list", "write", "read", "range", "multipart", "delete")
# Where canaries rest, at the root; no listing of the portal shows it.
CANARY_PREFIX = ".hokusai-probe"


def refuse_difference(found: bytes, written: bytes) -> None:
    """Raise StoreUnavailableError where a store gives back other bytes than it took."""
    if found != written:
        raise StoreUnavailableError(reason="DIGEST_MISMATCH")


@dataclass(frozen=True, slots=True)
class Entry:
    """A name directly below a listed path; ``size`` in bytes, None for a folder."""

    name: str
    is_folder: bool
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """The caller's header values of RFC 9110 §13 and §14 that a store evaluates; empty where it sent none."""

    byte_range: str = ""
    if_range: str = ""
    if_match: str = ""
    if_none_match: str = ""


class Pieces(Protocol):
    """An artifact's bytes as they come; iteration raises when they end early, and ``close`` lets go at any time."""

    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Download:
    """An answer to a fetch: ``status`` is 200, 206 or 304, ``length`` the bytes of this answer.

    ``modified_at`` is None where the store does not say.
    """

    status: int
    length: int
    etag: str
    modified_at: datetime | None
    pieces: Pieces
    content_range: str = ""


@dataclass(frozen=True, slots=True)
class Leftover:
    """An upload that never ended: where it was going, when it began, and how to end it."""

    path: str
    began_at: datetime
    remove: Callable[[], None]


class Store(Protocol):
    """A place for artifacts under relative paths; every method raises the errors of mlflow_proxy.exceptions."""

    def entries(self, path: str) -> list[Entry]:
        """Return what stands directly below a path, sorted; nothing for a file or what is not there."""

    def fetch(self, path: str, conditions: Conditions, *, is_head: bool = False) -> Download:
        """Open an artifact; raises ArtifactMissingError, RangeRefusedError, PreconditionFailedError."""

    def save(self, path: str, pieces: Iterable[bytes], *, before_commit: Callable[[], None]) -> None:
        """Store an artifact whole or not at all.

        What ``pieces`` or ``before_commit`` raises ends the upload and leaves what was there before.
        """

    def remove(self, path: str) -> None:
        """Remove an artifact, or a folder with all that is below it; nothing there is no error."""

    def leftovers(self, older_than: timedelta) -> Iterator[Leftover]:
        """Yield the uploads that began longer ago than ``older_than`` and never ended."""

    def probe(self) -> Iterator[str]:
        """Do with a few bytes all that transfers do, and yield the word for each as it works; raises what they meet.

        The first, ``list``, changes nothing. An iteration given up in between cleans up behind itself.
        """


@dataclass(frozen=True, slots=True)
class SignedDownload:
    """An address for a GET, and the artifact's size in bytes."""

    url: str
    size: int


class Signer(Protocol):
    """A store whose addresses can be signed, for one object, one method and some seconds each."""

    def size(self, path: str) -> int:
        """Return an artifact's size in bytes; raises ArtifactMissingError."""

    def sign_download(self, path: str, *, disposition: str, seconds: int) -> SignedDownload:
        """Return an address of an artifact; raises ArtifactMissingError."""

    def begin(self, path: str) -> str:
        """Begin a multipart upload and return the store's id of it."""

    def sign_parts(self, path: str, upload_id: str, count: int, *, seconds: int) -> list[str]:
        """Return an address for each part, the first first."""

    def complete(self, path: str, upload_id: str, parts: Iterable[tuple[int, str]]) -> None:
        """Make the parts, as (number, entity tag), one artifact; raises ArtifactMissingError for an ended upload."""

    def abort(self, path: str, upload_id: str) -> None:
        """End an upload and drop its parts; one that has ended is no error."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where credentials come from; ``ends_at`` where they say so, ``is_renewed`` where they renew themselves."""

    source: str
    is_temporary: bool
    is_renewed: bool
    ends_at: datetime | None


class Inspector(Protocol):
    """Reads back how a bucket is set up; every method raises StoreRefusedError and StoreUnavailableError."""

    def is_versioned(self) -> bool:
        """Return whether old versions are kept."""

    def encryption(self) -> str:
        """Return the word for the default encryption, empty where there is none."""

    def open_doors(self) -> list[str]:
        """Return the settings of the public-access block that are off."""

    def is_tls_only(self) -> bool:
        """Return whether the bucket's policy denies requests without TLS."""

    def days_until_uploads_end(self) -> int | None:
        """Return after how many days a lifecycle rule ends an incomplete upload, None where none does."""

    def days_until_canaries_end(self) -> int | None:
        """Return after how many days a lifecycle rule ends old versions of the canary, None where none does."""

    def endpoint(self) -> str:
        """Return the URL by which the portal reaches the store."""

    def clock(self) -> datetime:
        """Return the store's time."""

    def credentials(self) -> Credentials:
        """Return whose credentials the portal uses."""


def is_bucket() -> bool:
    """Return whether the destination is a bucket, and not a folder; opens nothing."""
    return conf.artifact_destination().startswith("s3://")


def steps() -> tuple[str, ...]:
    """Return the words that the current store's probe yields; opens nothing."""
    return BUCKET_STEPS if is_bucket() else FOLDER_STEPS


def inspector() -> Inspector | None:
    """Return who reads back the current store's set-up, None for a folder, which has none."""
    from mlflow_proxy.artifacts import inspection, storage  # noqa: PLC0415  (see _store)

    store = hurried()
    return inspection.BucketInspector(store) if isinstance(store, storage.BucketStore) else None


def signer() -> Signer:
    """Return the signer of the current store, which must be a bucket."""
    from mlflow_proxy.artifacts import presigned, storage  # noqa: PLC0415  (see _store)

    store = current()
    if not isinstance(store, storage.BucketStore):
        raise TypeError("only a bucket's addresses can be signed")
    return presigned.BucketSigner(store)


def current() -> Store:
    """Return the store of HOKUSAI_ARTIFACT_DESTINATION, one object per process."""
    return _store(conf.artifact_destination(), os.getpid(), is_hurried=False)


def hurried() -> Store:
    """Return the same store with deadlines of seconds and no repeats: for questions, not for transfers."""
    return _store(conf.artifact_destination(), os.getpid(), is_hurried=True)


@cache
def _store(destination: str, pid: int, *, is_hurried: bool) -> Store:
    # boto3 takes a second to import: a portal that forwards to MLflow never pays for it.
    from mlflow_proxy.artifacts import folder, storage  # noqa: PLC0415

    del pid
    if not destination.startswith("s3://"):
        return folder.FolderStore(destination)
    return storage.BucketStore(storage.hurried_bucket() if is_hurried else None)
