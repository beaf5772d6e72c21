"""docs/configuration.md has a heading for each variable, with its default, and a row for each of the MLflow image."""

import json
import os
import re
import subprocess
import sys

import pytest

from hokusai_portal import env
from tests.docs.documents import ROOT, headings, rows, sections, text

SECTIONS = sections("docs/configuration.md")
VARIABLE = re.compile(r"[A-Z]+(_[A-Z0-9]+)+")
# Paths in the project, written relative to it.
OWN_WORDING = {"HOKUSAI_DATA_DIR", "HOKUSAI_MLFLOW_PYTHON", "HOKUSAI_STATIC_DIR"}
PRINT_DEFAULTS = "import json; from hokusai_portal import env; print(json.dumps(env.env.dump(), default=str))"


@pytest.fixture(scope="module")
def defaults(tmp_path_factory):
    """What the variables are where none is set; the data folder aside, which would be written to."""
    bare = {"PATH": os.environ["PATH"], "HOKUSAI_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    done = subprocess.run([sys.executable, "-c", PRINT_DEFAULTS], env=bare, cwd=ROOT, capture_output=True, check=True)
    return {name: value for name, value in json.loads(done.stdout).items() if name not in OWN_WORDING}


def written(value):
    """A default as the document writes it."""
    return "empty" if value in ("", []) else f"`{json.dumps(value).strip('"').removesuffix('.0')}`"


def test_variable_has_a_heading():
    documented = {heading for heading in headings("docs/configuration.md") if VARIABLE.fullmatch(heading)}
    assert documented == set(env.env.dump())


def test_default_is_the_one_of_the_code(defaults):
    wrong = [name for name, value in defaults.items() if f"Default: {written(value)}" not in SECTIONS[name]]
    assert wrong == []


def test_variable_of_production_is_marked():
    required = set(re.findall(r'"(\w+)": \(', text("hokusai_portal/env.py")))
    assert {name for name, body in SECTIONS.items() if " Needed in production" in body} == required


def test_variable_of_the_image_has_a_row():
    read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", text("deploy/mlflow/entrypoint.sh")))
    documented = set(filter(str.isupper, rows(SECTIONS["The MLflow image"])))
    assert documented == read


def test_readme_names_only_variables_that_exist():
    named = set(re.findall(r"\b(?:HOKUSAI|PORTAL|DJANGO)_[A-Z_]*[A-Z]\b", text("README.md")))
    assert named - set(env.env.dump()) == set()
