"""Artifacts in a local folder, laid out as MLflow lays them out; leaves no half file under an artifact's name."""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

import structlog

from mlflow_proxy import metrics
from mlflow_proxy.artifacts import ranges
from mlflow_proxy.artifacts.stores import (
    CANARY,
    CANARY_PREFIX,
    Conditions,
    Download,
    Entry,
    Leftover,
    refuse_difference,
)
from mlflow_proxy.exceptions import (
    ArtifactMissingError,
    IsFolderError,
    LocationRefusedError,
    PreconditionFailedError,
    StoreRefusedError,
    StoreUnavailableError,
    TransferBrokenError,
)

log = structlog.get_logger(__name__)

PIECE = 256 * 1024
# Beside the experiments, so that a rename into place stays within one file system.
DRAFTS = ".hokusai-uploads"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


class FolderStore:
    """Implements stores.Store below one folder."""

    def __init__(self, root: str) -> None:
        self._root = Path(root).resolve()

    def entries(self, path: str) -> list[Entry]:
        with _named_errors("list"):
            try:
                found = list(os.scandir(self._inside(path)))
            except (FileNotFoundError, NotADirectoryError):
                return []
            entries = [entry for entry in map(_entry, found) if entry is not None]
        shown = (entry for entry in entries if path or not _is_own(entry.name))
        return sorted(shown, key=lambda entry: entry.name)

    def fetch(self, path: str, conditions: Conditions, *, is_head: bool = False) -> Download:
        with _named_errors("read"):
            try:
                file = self._inside(path).open("rb")
            except (FileNotFoundError, NotADirectoryError):
                raise ArtifactMissingError() from None
            except IsADirectoryError:
                raise IsFolderError() from None
        try:
            return _answer(file, conditions, is_head=is_head)
        except BaseException:
            file.close()
            raise

    def save(self, path: str, pieces: Iterable[bytes], *, before_commit: Callable[[], None]) -> None:
        with _named_errors("write"):
            target = self._inside(path)
            if target.is_dir():
                raise IsFolderError()
            draft = self._drafts() / uuid.uuid4().hex
            try:
                with draft.open("xb") as file:
                    for piece in pieces:
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                before_commit()
                _make_folders(target.parent)
                draft.replace(target)
                _settle(target.parent)
            finally:
                draft.unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        with _named_errors("delete"), suppress(FileNotFoundError, NotADirectoryError):
            folder, _, name = path.rpartition("/")
            # A link goes itself, not what it leads to.
            target = self._refuse_drafts(self._inside(folder) / name)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink()

    def leftovers(self, older_than: timedelta) -> Iterator[Leftover]:
        begun_before = datetime.now(tz=UTC) - older_than
        with _named_errors("list"):
            for draft in sorted((self._root / DRAFTS).glob("*")):
                # The last write, so that no upload that still moves is taken for one that never ended.
                with suppress(FileNotFoundError):
                    written_at = datetime.fromtimestamp(draft.stat().st_mtime, tz=UTC)
                    if written_at <= begun_before:
                        yield Leftover(f"{DRAFTS}/{draft.name}", written_at, partial(_end, draft))

    def probe(self) -> Iterator[str]:
        self.entries("")
        yield "list"
        with _named_errors("write"):
            draft = self._drafts() / f"probe-{uuid.uuid4().hex}"
        try:
            with _named_errors("write"):
                draft.write_bytes(CANARY)
            yield "write"
            with _named_errors("read"):
                refuse_difference(draft.read_bytes(), CANARY)
            yield "read"
        finally:
            with _named_errors("delete"):
                draft.unlink(missing_ok=True)
        yield "delete"

    def _drafts(self) -> Path:
        drafts = self._root / DRAFTS
        drafts.mkdir(parents=True, exist_ok=True)
        return drafts

    def _inside(self, path: str) -> Path:
        target = Path(os.path.realpath(self._root / path))
        if not target.is_relative_to(self._root):
            raise LocationRefusedError("The path leads out of the artifact store.")
        return self._refuse_drafts(target)

    def _refuse_drafts(self, target: Path) -> Path:
        if target.is_relative_to(self._root / DRAFTS):
            raise LocationRefusedError(f"{DRAFTS} is the portal's own.")
        return target


class _FilePieces:
    def __init__(self, file: BinaryIO, remaining: int) -> None:
        self._file, self._remaining = file, remaining

    def __iter__(self) -> Iterator[bytes]:
        while self._remaining:
            piece = self._file.read(min(PIECE, self._remaining))
            if not piece:
                raise TransferBrokenError()
            self._remaining -= len(piece)
            yield piece

    def close(self) -> None:
        self._file.close()


def _answer(file: BinaryIO, conditions: Conditions, *, is_head: bool) -> Download:
    facts = os.fstat(file.fileno())
    size, etag = facts.st_size, f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"'
    modified_at = datetime.fromtimestamp(facts.st_mtime, tz=UTC)
    if conditions.if_match and not ranges.names(conditions.if_match, etag, is_strong=True):
        raise PreconditionFailedError()
    if conditions.if_none_match and ranges.names(conditions.if_none_match, etag):
        return Download(304, 0, etag, modified_at, _FilePieces(file, 0))
    wished = conditions.byte_range if conditions.if_range in {"", etag} else ""
    selected = ranges.select(wished, size)
    if selected is None:
        return Download(200, size, etag, modified_at, _FilePieces(file, 0 if is_head else size))
    first, last = selected
    file.seek(first)
    length = last - first + 1
    pieces = _FilePieces(file, 0 if is_head else length)
    return Download(206, length, etag, modified_at, pieces, f"bytes {first}-{last}/{size}")


def _is_own(name: str) -> bool:
    return name == DRAFTS or name.startswith(CANARY_PREFIX)


def _entry(found: os.DirEntry[str]) -> Entry | None:
    """Return what was found, None for a link that leads nowhere or what has gone meanwhile: neither is an artifact."""
    try:
        return Entry(found.name, True) if found.is_dir() else Entry(found.name, False, found.stat().st_size)
    except FileNotFoundError:
        return None


def _end(draft: Path) -> None:
    with _named_errors("delete"):
        draft.unlink(missing_ok=True)


def _make_folders(folder: Path) -> None:
    made = [above for above in (folder, *folder.parents) if not above.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise LocationRefusedError("A part of the path is a file, so nothing can be stored below it.") from None
    for new in made:
        _settle(new.parent)


def _settle(folder: Path) -> None:
    """Make a rename outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _named_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise LocationRefusedError(
                "A name in the path, or all of it, is longer than the store takes.", reason="ARTIFACT_PATH_TOO_LONG"
            ) from None
        reason = "STORE_FULL" if error.errno in _FULL else "STORE_DENIED" if error.errno in _DENIED else ""
        log.error(  # noqa: TRY400  (the words of the system say it all)
            "artifact_store_failed",
            reason=reason or "STORE_UNAVAILABLE",
            doing=doing,
            error=os.strerror(error.errno or 0),
        )
        metrics.count_store_fault(reason or "STORE_UNAVAILABLE")
        if reason:
            hint = (
                "Make room on the file system of HOKUSAI_ARTIFACT_DESTINATION."
                if reason == "STORE_FULL"
                else f"The portal's user must be able to {doing} below HOKUSAI_ARTIFACT_DESTINATION."
            )
            raise StoreRefusedError(reason=reason, hint=hint) from None
        raise StoreUnavailableError() from None
