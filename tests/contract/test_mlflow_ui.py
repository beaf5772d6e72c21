"""The installed MLflow's web interface against what the portal knows of it: its files, and its GraphQL documents."""

import hashlib
from pathlib import Path

import pytest

from mlflow_proxy.exceptions import RouteUnknownError
from mlflow_proxy.ui import graphql, routes
from tests.contract.test_mlflow_routes import ROOT, ask_mlflow

BUNDLE = next((ROOT / ".venv-mlflow" / "lib").glob("python3*/site-packages/mlflow/server/js/build"))
# For notebooks of other programs, which show it in a frame of another site.
ELSEWHERE = "lib/notebook-trace-renderer/"
FILES = [
    path.relative_to(BUNDLE).as_posix()
    for path in sorted(BUNDLE.rglob("*"))
    if path.is_file() and ELSEWHERE not in path.as_posix()
]


def find(name: str) -> tuple[str, ...]:
    segments = ("static-files", *name.split("/"))
    routes.find("GET", segments)
    return segments


def test_every_file_of_the_bundle_has_a_row() -> None:
    assert len(FILES) > 300
    for name in FILES:
        assert routes.find("GET", find(name)).resource == "asset"


def test_every_script_and_style_lasts() -> None:
    kept = [name for name in FILES if name.startswith("static/")]
    assert [name for name in kept if not routes.is_lasting(find(name))] == []


def test_what_is_kept_for_ever_has_its_content_in_its_name() -> None:
    """A name without a hash would stay what it was after an upgrade."""
    assert [name for name in FILES if not routes.is_lasting(find(name))] == [
        *("asset-manifest.json", "favicon.ico", "index.html", "manifest.json")
    ]


def test_renderer_for_notebooks_is_not_served() -> None:
    assert any((BUNDLE / ELSEWHERE).iterdir())
    with pytest.raises(RouteUnknownError):
        find(f"{ELSEWHERE}index.html")


def test_page_asks_for_nothing_from_elsewhere() -> None:
    assert "http" not in (BUNDLE / "index.html").read_text()


def test_documents_are_those_that_the_interface_ships() -> None:
    shipped = {name: graphql.digest(document) for name, document in ask_mlflow("mlflow_graphql.py").items()}
    assert shipped == {name: pinned.digest for name, pinned in graphql.DOCUMENTS.items()}


def test_digest_is_of_the_words() -> None:
    assert graphql.digest(" a\n  b ") == hashlib.sha256(b"a b").hexdigest()


def test_no_document_is_hidden_in_another_form() -> None:
    """A document that was parsed at build time would carry its operation as an object; Apollo itself makes one."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in Path(BUNDLE / "static").rglob("*.js"))
    assert sum(text.count('kind:"OperationDefinition",operation:"') for text in texts) == 1
