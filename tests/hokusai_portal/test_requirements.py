"""Requirements: everything is bounded below, the floors of known faults hold, and packages are where README says."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from hokusai_portal import env

PROJECT = tomllib.loads((env.BASE_DIR / "pyproject.toml").read_text())
MLFLOW_INPUT = (env.BASE_DIR / "requirements-mlflow.in").read_text()
DECLARED = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["dev"],
    *PROJECT["build-system"]["requires"],
    *(line for line in MLFLOW_INPUT.splitlines() if line and not line.startswith("#")),
]
FILES = ["requirements.txt", "requirements-dev.txt", "requirements-mlflow.txt"]
PLACES = {
    "django": "requirements.txt",
    "djangorestframework": "requirements.txt",
    "django-storages": "requirements.txt",
    "boto3": "requirements.txt",
    "requests": "requirements.txt",
    "psycopg": "requirements.txt",
    "pytest-django": "requirements-dev.txt",
    "moto": "requirements-dev.txt",
    "mlflow": "requirements-mlflow.txt",
}


def pinned(file):
    text = (env.BASE_DIR / file).read_text()
    lines = re.findall(r"^([a-z0-9-]+)(?:\[\S*\])?==([^\s;]+)", text, re.MULTILINE)
    return {name: Version(version) for name, version in lines}


@pytest.mark.parametrize("line", DECLARED)
def test_requirements_have_lower_bounds(line):
    assert {bound.operator for bound in Requirement(line).specifier} & {">=", "==", "~="}


def test_requirements_mlflow_stays_below_four():
    assert "mlflow>=3.17.2,<4" in MLFLOW_INPUT


@pytest.mark.parametrize(
    ("file", "package", "floor"),
    [
        ("requirements.txt", "django", "6.1.1"),
        ("requirements.txt", "urllib3", "2.6.3"),
        ("requirements.txt", "gunicorn", "27.0.1"),
        ("requirements-mlflow.txt", "mlflow", "3.17.2"),
        ("requirements-mlflow.txt", "starlette", "1.0.1"),
        ("requirements-mlflow.txt", "urllib3", "2.6.3"),
    ],
)
def test_requirements_floor_of_a_known_fault_holds(file, package, floor):
    assert pinned(file)[package] >= Version(floor)


@pytest.mark.parametrize(("package", "floor"), [("django", "6.1.1"), ("urllib3", "2.6.3"), ("gunicorn", "27.0.1")])
def test_requirements_declaration_excludes_what_is_below_the_floor(package, floor):
    (declared,) = (Requirement(line) for line in DECLARED if Requirement(line).name == package)
    assert floor in declared.specifier
    below = Version(floor)
    assert f"{below.major}.{below.minor}.{below.micro - 1}" not in declared.specifier


@pytest.mark.parametrize(("package", "file"), PLACES.items())
def test_requirements_package_is_in_its_file(package, file):
    assert package in pinned(file)


@pytest.mark.parametrize(("package", "file"), PLACES.items())
def test_requirements_readme_names_the_file_of_each_package(package, file):
    lines = (env.BASE_DIR / "README.md").read_text().splitlines()
    word = re.compile(rf"(?<![\w-]){re.escape(package)}(?![\w-])")
    assert any(file in line and word.search(line) for line in lines)


def test_requirements_portal_is_without_mlflow():
    assert "mlflow" not in pinned("requirements.txt") | pinned("requirements-dev.txt")


@pytest.mark.parametrize("file", FILES)
def test_requirements_are_hashed_and_name_no_index(file):
    text = (env.BASE_DIR / file).read_text()
    assert len(re.findall(r"^\S+==", text, re.MULTILINE)) <= text.count("--hash=sha256:")
    assert "index-url" not in text
    assert "://" not in text


def test_requirements_shared_packages_agree():
    portal, tools = pinned("requirements.txt"), pinned("requirements-dev.txt")
    assert {name: version for name, version in tools.items() if name in portal and portal[name] != version} == {}


def test_requirements_python_is_the_same_everywhere():
    assert PROJECT["project"]["requires-python"] == ">=3.12"
    assert (env.BASE_DIR / ".python-version").read_text().strip() == "3.12"
