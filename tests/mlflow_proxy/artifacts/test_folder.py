"""Artifacts in a folder: whole or not at all, inside the root, and every fault of the system by its name."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlflow_proxy.artifacts.folder import DRAFTS, FolderStore
from mlflow_proxy.artifacts.stores import Conditions, Download, Entry
from mlflow_proxy.exceptions import (
    ArtifactMissingError,
    IsFolderError,
    LocationRefusedError,
    PreconditionFailedError,
    ProxyError,
    RangeRefusedError,
    StoreRefusedError,
    StoreUnavailableError,
    TransferBrokenError,
)

PATH = "0/run/artifacts/a.bin"
ROOT = Path(__file__).resolve().parents[3]


class OwnError(Exception):
    """What the caller of a store raises through it."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> FolderStore:
    return FolderStore(str(root))


def save(store: FolderStore, path: str, *pieces: bytes) -> None:
    store.save(path, pieces, before_commit=lambda: None)


def read(found: Download) -> bytes:
    try:
        return b"".join(found.pieces)
    finally:
        found.pieces.close()


def fetch(store: FolderStore, path: str = PATH, *, is_head: bool = False, **conditions: str) -> Download:
    return store.fetch(path, Conditions(**conditions), is_head=is_head)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def drafts(root: Path) -> list[str]:
    return names_in(root / DRAFTS)


def failing(error: BaseException, *pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise error


def refuse() -> None:
    raise OwnError


@pytest.mark.parametrize("pieces", [[], [b""], [b"a"], [b"a", b"", b"bc"], [bytes(300_000)] * 3])
def test_saved_artifact_is_read_back_byte_for_byte(store: FolderStore, pieces: list[bytes]) -> None:
    save(store, PATH, *pieces)
    assert read(fetch(store)) == b"".join(pieces)


@pytest.mark.parametrize(
    "name", ["á日本🎉", "a b ", " a", "100%", "%41", "a+b&c=d", "-rf", "..a", "a..", "~", "$HOME", "*"]
)
def test_saved_name_stands_in_the_folder_as_it_is_spelled(store: FolderStore, root: Path, name: str) -> None:
    save(store, f"0/run/artifacts/{name}", b"x")
    assert names_in(root / "0/run/artifacts") == [name]


def test_saved_name_is_kept_in_its_own_normal_form(store: FolderStore, root: Path) -> None:
    names = {"e\u0301", "\u00e9"}
    for name in names:
        save(store, name, name.encode())
    assert set(names_in(root)) - {DRAFTS} == names


def test_overwrite_replaces_the_old_version(store: FolderStore) -> None:
    save(store, PATH, b"a long old version")
    save(store, PATH, b"new")
    assert read(fetch(store)) == b"new"


def test_open_download_keeps_the_version_it_began_with(store: FolderStore) -> None:
    save(store, PATH, b"old" * 400_000)
    found = fetch(store)
    save(store, PATH, b"new")
    assert read(found) == b"old" * 400_000


def test_reader_meanwhile_sees_the_old_version(store: FolderStore) -> None:
    save(store, PATH, b"old")
    seen = []

    def upload() -> Iterator[bytes]:
        yield b"n"
        seen.append(read(fetch(store)))
        yield b"ew"

    store.save(PATH, upload(), before_commit=lambda: seen.append(read(fetch(store))))
    assert seen == [b"old", b"old"]


def test_reader_meanwhile_sees_no_new_artifact(store: FolderStore) -> None:
    seen: list[Entry] = []
    store.save(PATH, [b"new"], before_commit=lambda: seen.extend(store.entries("")))
    assert seen == []


def test_concurrent_readers_see_whole_versions_alone(store: FolderStore) -> None:
    versions = [bytes([number]) * (100_000 + number) for number in range(40)]
    save(store, PATH, versions[0])
    seen: set[bytes] = set()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            seen.add(read(fetch(store)))

    readers = [threading.Thread(target=watch) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in versions:
        save(store, PATH, version[:50_000], version[50_000:])
    is_over.set()
    for reader in readers:
        reader.join()
    assert seen <= set(versions)


@pytest.mark.parametrize("error", [OwnError(), KeyboardInterrupt(), GeneratorExit(), SystemExit(1)])
def test_pieces_that_raise_leave_the_old_version(store: FolderStore, error: BaseException) -> None:
    save(store, PATH, b"old")
    with pytest.raises(type(error)):
        store.save(PATH, failing(error, b"n"), before_commit=lambda: None)
    assert read(fetch(store)) == b"old"


def test_pieces_that_raise_leave_nothing_behind(store: FolderStore, root: Path) -> None:
    with pytest.raises(OwnError):
        store.save(PATH, failing(OwnError(), b"n"), before_commit=lambda: None)
    assert (names_in(root), drafts(root)) == ([DRAFTS], [])


def test_refusal_before_commit_leaves_the_old_version(store: FolderStore) -> None:
    save(store, PATH, b"old")
    with pytest.raises(OwnError):
        store.save(PATH, [b"new"], before_commit=refuse)
    assert read(fetch(store)) == b"old"


def test_refusal_before_commit_leaves_nothing_behind(store: FolderStore, root: Path) -> None:
    with pytest.raises(OwnError):
        store.save(PATH, [b"new"], before_commit=refuse)
    assert (names_in(root), drafts(root)) == ([DRAFTS], [])


def test_commit_is_asked_for_after_the_last_byte(store: FolderStore) -> None:
    order: list[str] = []
    store.save(PATH, (order.append("piece") or b"x" for _ in range(2)), before_commit=lambda: order.append("commit"))
    assert order == ["piece", "piece", "commit"]


def test_save_onto_a_folder_is_refused(store: FolderStore) -> None:
    save(store, PATH, b"x")
    with pytest.raises(IsFolderError):
        save(store, "0/run/artifacts", b"x")


def test_save_below_a_file_is_refused_as_the_callers_mistake(store: FolderStore) -> None:
    save(store, PATH, b"x")
    with pytest.raises(LocationRefusedError):
        save(store, f"{PATH}/deeper/b.bin", b"x")


@pytest.mark.parametrize("path", ["n" * 256, "/".join(["n" * 200] * 30), "é" * 128, f"{'n' * 256}/b"])
def test_save_under_too_long_a_name_is_the_callers_mistake(store: FolderStore, path: str) -> None:
    with pytest.raises(LocationRefusedError) as refusal:
        save(store, path, b"x")
    assert refusal.value.reason == "ARTIFACT_PATH_TOO_LONG"


@pytest.mark.parametrize("path", ["n" * 256, "/".join(["n" * 200] * 30)])
@pytest.mark.parametrize("doing", ["fetch", "entries", "remove"])
def test_too_long_a_name_is_the_callers_mistake(store: FolderStore, path: str, doing: str) -> None:
    save(store, PATH, b"x")
    arguments = (path, Conditions()) if doing == "fetch" else (path,)
    with pytest.raises(LocationRefusedError):
        getattr(store, doing)(*arguments)


# --- out of the root


@pytest.fixture
def outside(root: Path, tmp_path: Path) -> Path:
    """A folder beside the store, to which a link inside the store leads."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"old")
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    return outside


@pytest.mark.parametrize("path", ["link/secret", "file", "../outside/secret", "link/../store/x"])
def test_fetch_out_of_the_root_is_refused(store: FolderStore, outside: Path, path: str) -> None:
    with pytest.raises((LocationRefusedError, ArtifactMissingError)):
        fetch(store, path)


@pytest.mark.parametrize("path", ["link/secret", "link/new", "file", "../outside/secret"])
def test_save_out_of_the_root_is_refused(store: FolderStore, outside: Path, path: str) -> None:
    with pytest.raises(LocationRefusedError):
        save(store, path, b"new")
    assert [(entry.name, entry.read_bytes()) for entry in outside.iterdir()] == [("secret", b"old")]


@pytest.mark.parametrize("path", ["link", "link/", "..", "../outside"])
def test_list_out_of_the_root_is_refused(store: FolderStore, outside: Path, path: str) -> None:
    with pytest.raises(LocationRefusedError):
        store.entries(path)


@pytest.mark.parametrize("path", ["link/secret", "../outside/secret", "../outside"])
def test_remove_out_of_the_root_is_refused(store: FolderStore, outside: Path, path: str) -> None:
    with pytest.raises(LocationRefusedError):
        store.remove(path)
    assert (outside / "secret").exists()


def test_remove_of_a_link_keeps_what_it_leads_to(store: FolderStore, outside: Path, root: Path) -> None:
    store.remove("link")
    assert ((root / "link").exists(), (outside / "secret").exists()) == (False, True)


def test_save_through_a_link_inside_the_root_is_taken(store: FolderStore, root: Path) -> None:
    save(store, "0/a", b"x")
    (root / "1").symlink_to(root / "0")
    save(store, "1/b", b"y")
    assert read(fetch(store, "0/b")) == b"y"


@pytest.mark.parametrize("doing", ["fetch", "save", "entries", "remove"])
@pytest.mark.parametrize("path", [DRAFTS, f"{DRAFTS}/x"])
def test_drafts_cannot_be_reached_as_artifacts(store: FolderStore, doing: str, path: str) -> None:
    save(store, PATH, b"x")
    (store._root / DRAFTS / "x").write_bytes(b"draft")
    calls = {
        "fetch": lambda: fetch(store, path),
        "save": lambda: save(store, f"{path}/y", b"x"),
        "entries": lambda: store.entries(path),
        "remove": lambda: store.remove(path),
    }
    with pytest.raises(LocationRefusedError):
        calls[doing]()
    assert (store._root / DRAFTS / "x").exists()


# --- list and remove


def test_list_has_folders_without_and_files_with_their_size_by_name(store: FolderStore) -> None:
    for path in ("b", "a/c", "B", "a.txt", "empty"):
        save(store, path, b"" if path == "empty" else b"xy")
    assert store.entries("") == [
        Entry("B", False, 2),
        Entry("a", True),
        Entry("a.txt", False, 2),
        Entry("b", False, 2),
        Entry("empty", False, 0),
    ]


@pytest.mark.parametrize("path", [PATH, "nowhere", f"{PATH}/below"])
def test_list_of_a_file_or_of_nothing_is_empty(store: FolderStore, path: str) -> None:
    save(store, PATH, b"x")
    assert store.entries(path) == []


def test_list_of_a_store_that_was_never_written_is_empty(store: FolderStore) -> None:
    assert store.entries("") == []


def test_list_leaves_out_a_link_that_leads_nowhere(store: FolderStore, root: Path) -> None:
    save(store, "a", b"x")
    (root / "dangling").symlink_to(root / "gone")
    assert [entry.name for entry in store.entries("")] == ["a"]


def test_list_while_artifacts_come_and_go_is_no_fault(store: FolderStore) -> None:
    is_over = threading.Event()

    def churn() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            (store._root / f"d/{number % 50}").write_bytes(b"x")
            (store._root / f"d/{(number * 7) % 50}").unlink(missing_ok=True)

    save(store, "d/stays", b"x")
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        assert all(Entry("stays", False, 1) in store.entries("d") for _ in range(300))
    finally:
        is_over.set()
        thread.join()


def test_remove_takes_a_file_and_keeps_its_folder(store: FolderStore, root: Path) -> None:
    save(store, PATH, b"x")
    store.remove(PATH)
    assert names_in(root / "0/run/artifacts") == []


def test_remove_takes_a_folder_with_all_below_it_and_nothing_beside(store: FolderStore) -> None:
    for path in ("a/b/c", "a/b/d/e", "a/bc"):
        save(store, path, b"x")
    store.remove("a/b")
    assert store.entries("a") == [Entry("bc", False, 1)]


@pytest.mark.parametrize("path", ["nowhere", "no/where", f"{PATH}/below"])
def test_remove_of_nothing_is_no_error(store: FolderStore, path: str) -> None:
    save(store, PATH, b"x")
    store.remove(path)
    assert read(fetch(store)) == b"x"


# --- fetch


def test_fetch_tells_length_and_a_strong_tag(store: FolderStore) -> None:
    save(store, PATH, b"12345")
    found = fetch(store)
    assert (found.status, found.length, read(found)) == (200, 5, b"12345")
    assert found.etag.startswith('"')


def test_versions_of_one_size_in_one_instant_have_different_tags(store: FolderStore, root: Path) -> None:
    tags = set()
    for content in (b"a", b"b"):
        save(store, PATH, content)
        os.utime(root / PATH, ns=(10**18, 10**18))
        found = fetch(store)
        found.pieces.close()
        tags.add(found.etag)
    assert len(tags) == 2


def test_head_has_length_and_no_bytes(store: FolderStore) -> None:
    save(store, PATH, b"12345")
    found = fetch(store, is_head=True)
    assert (found.length, read(found)) == (5, b"")


@pytest.mark.parametrize("path", ["nowhere", "no/where", f"{PATH}/below"])
def test_fetch_of_nothing_is_missing(store: FolderStore, path: str) -> None:
    save(store, PATH, b"x")
    with pytest.raises(ArtifactMissingError):
        fetch(store, path)


def test_fetch_of_a_folder_says_so(store: FolderStore) -> None:
    save(store, PATH, b"x")
    with pytest.raises(IsFolderError):
        fetch(store, "0/run")


def test_fetch_of_a_range_has_its_bytes_and_place(store: FolderStore) -> None:
    save(store, PATH, b"0123456789")
    found = fetch(store, byte_range="bytes=2-4")
    assert (found.status, found.length, found.content_range, read(found)) == (206, 3, "bytes 2-4/10", b"234")


def test_fetch_of_a_range_outside_is_refused(store: FolderStore) -> None:
    save(store, PATH, b"0123456789")
    with pytest.raises(RangeRefusedError):
        fetch(store, byte_range="bytes=10-")


def test_fetch_of_a_range_of_this_version_is_a_range(store: FolderStore) -> None:
    save(store, PATH, b"0123456789")
    etag = fetch(store, is_head=True).etag
    assert read(fetch(store, byte_range="bytes=2-4", if_range=etag)) == b"234"


@pytest.mark.parametrize("if_range", ['"other"', "Wed, 21 Oct 2015 07:28:00 GMT", "W/"])
def test_fetch_of_a_range_of_another_version_is_the_whole(store: FolderStore, if_range: str) -> None:
    save(store, PATH, b"0123456789")
    weak = if_range + fetch(store, is_head=True).etag if if_range == "W/" else if_range
    found = fetch(store, byte_range="bytes=2-4", if_range=weak)
    assert (found.status, read(found)) == (200, b"0123456789")


def test_fetch_of_a_known_version_is_304_without_bytes(store: FolderStore) -> None:
    save(store, PATH, b"x")
    found = fetch(store, if_none_match=fetch(store, is_head=True).etag)
    assert (found.status, read(found)) == (304, b"")


def test_fetch_of_another_version_than_if_match_is_refused(store: FolderStore) -> None:
    save(store, PATH, b"x")
    with pytest.raises(PreconditionFailedError):
        fetch(store, if_match='"other"')


def test_file_that_shrinks_under_a_download_breaks_it(store: FolderStore, root: Path) -> None:
    save(store, PATH, bytes(1_000_000))
    found = fetch(store)
    os.truncate(root / PATH, 500_000)
    with pytest.raises(TransferBrokenError):
        read(found)


# --- leftovers and probe


def leave_draft(root: Path, name: str, age: float) -> None:
    (root / DRAFTS).mkdir(parents=True, exist_ok=True)
    draft = root / DRAFTS / name
    draft.write_bytes(b"half")
    at = draft.stat().st_mtime - age
    os.utime(draft, (at, at))


def test_leftovers_are_the_drafts_of_that_age(store: FolderStore, root: Path) -> None:
    leave_draft(root, "old", 7200)
    leave_draft(root, "young", 60)
    assert [leftover.path for leftover in store.leftovers(timedelta(hours=1))] == [f"{DRAFTS}/old"]


def test_leftover_removed_is_gone(store: FolderStore, root: Path) -> None:
    leave_draft(root, "old", 7200)
    for leftover in store.leftovers(timedelta(hours=1)):
        leftover.remove()
    assert drafts(root) == []


def test_leftover_that_ended_meanwhile_is_no_error(store: FolderStore, root: Path) -> None:
    leave_draft(root, "a", 7200)
    leave_draft(root, "b", 7200)
    found = []
    for leftover in store.leftovers(timedelta(hours=1)):
        found.append(leftover.path)
        for name in drafts(root):
            (root / DRAFTS / name).unlink()
        leftover.remove()
    assert found == [f"{DRAFTS}/a"]


def test_leftovers_of_a_store_that_was_never_written_are_none(store: FolderStore) -> None:
    assert list(store.leftovers(timedelta(0))) == []


def test_probe_leaves_nothing_behind(store: FolderStore, root: Path) -> None:
    assert list(store.probe()) == ["list", "write", "read", "delete"]
    assert (names_in(root), drafts(root)) == ([DRAFTS], [])


# --- faults of the system


# In processes of their own: a limit on files would hit the report of this one as well, where it goes to a file.
ON_A_LIMIT = """
import resource, sys
from mlflow_proxy.artifacts.folder import DRAFTS, FolderStore
from mlflow_proxy.exceptions import StoreRefusedError
store = FolderStore(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    store.save("a", [bytes(100000)], before_commit=lambda: None)
except StoreRefusedError as refusal:
    print(refusal.reason, list((store._root / DRAFTS).iterdir()))
"""


def test_file_that_may_not_grow_is_a_full_store(tmp_path: Path) -> None:
    run = [sys.executable, "-c", ON_A_LIMIT, str(tmp_path)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "STORE_FULL []"


ON_A_FULL_DISK = """
import sys
from mlflow_proxy.artifacts.folder import DRAFTS, FolderStore
from mlflow_proxy.exceptions import StoreRefusedError
store = FolderStore(sys.argv[1])
store.save("a", [b"old"], before_commit=lambda: None)
try:
    store.save("a", [bytes(65536)] * 64, before_commit=lambda: None)
except StoreRefusedError as refusal:
    left = list((store._root / DRAFTS).iterdir())
    print(refusal.reason, (store._root / "a").read_bytes(), left, refusal.hint)
"""


def test_full_disk_is_named_and_keeps_the_old_version(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    script = 'mount -t tmpfs -o size=1m none "$1" && shift && exec "$@"'
    command = [unshare or "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(tmp_path)]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts no file system of 1 MiB for a test (unshare --user --mount)")
    run = [*command, sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    told = "STORE_FULL b'old' [] Make room on the file system of HOKUSAI_ARTIFACT_DESTINATION."
    assert done.stdout.splitlines()[-1] == told


# The kernel makes no folder here, whoever asks.
UNWRITABLE = Path("/sys")


@pytest.mark.skipif(not UNWRITABLE.is_dir(), reason="no /sys to be refused in")
@pytest.mark.parametrize("doing", ["save", "probe"])
def test_folder_without_the_right_to_write_is_named(doing: str) -> None:
    store = FolderStore(str(UNWRITABLE))
    with pytest.raises(StoreRefusedError) as refusal:
        save(store, PATH, b"x") if doing == "save" else list(store.probe())
    assert refusal.value.reason == "STORE_DENIED"
    assert refusal.value.hint == "The portal's user must be able to write below HOKUSAI_ARTIFACT_DESTINATION."


def test_fault_without_a_name_is_a_store_unavailable_for_now(store: FolderStore, root: Path) -> None:
    root.mkdir()
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises((StoreUnavailableError, ArtifactMissingError)):
        fetch(store, "loop")


def test_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProxyError):
        save(FolderStore(str(tmp_path / "file")), PATH, b"x")
