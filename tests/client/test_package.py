"""The client as a package: its command exists, every module is in it, and it needs nothing but requests."""

import ast
import sys
import tomllib
from importlib import import_module

from hokusai_portal import env

FOLDER = env.BASE_DIR / "client"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())


def test_script_leads_to_the_command():
    module, name = PROJECT["project"]["scripts"]["hokusai-portal"].split(":")
    assert callable(getattr(import_module(module), name))


def test_version_is_that_of_the_portal():
    portal = tomllib.loads((env.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
    assert import_module("hokusai_portal_client").__version__ == portal


def test_package_imports_requests_alone():
    trees = [ast.parse(path.read_text()) for path in FOLDER.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert tops == {"hokusai_portal_client", "requests"}
    assert [requirement.partition(">=")[0] for requirement in PROJECT["project"]["dependencies"]] == ["requests"]
