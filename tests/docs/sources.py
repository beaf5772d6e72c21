"""Collects from the source what the documents must name: reasons of errors and ids of checks."""

import ast
import re
from collections.abc import Iterator

from tests.docs.documents import ROOT

WORD = re.compile(r"[A-Z]+(_[A-Z]+)*")
CHECK_ID = re.compile(r"[a-z_]+\.[EW]\d{3}")
# Where the reason stands among the arguments of the functions that make replies and refusals.
REASON_POSITIONS = {
    "CredentialRefusedError": 0,
    "_refused": 0,
    "_rejected": 0,
    "failed": 0,
    "unknown": 0,
    "Fault": 0,
    "error_body": 2,
    "_error": 3,
}


def trees() -> Iterator[ast.AST]:
    for package in ("apikeys", "mlflow_proxy", "hokusai_portal"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if not {"migrations", "commands"} & set(path.parts):
                yield ast.parse(path.read_text(encoding="utf-8"))


def nodes() -> Iterator[ast.AST]:
    for tree in trees():
        yield from ast.walk(tree)


def reasons() -> set[str]:
    return {word for node in nodes() for part in _reason_parts(node) for word in _words(part)}


def check_ids() -> set[str]:
    ids = (node.value for node in nodes() if isinstance(node, ast.keyword) and node.arg == "id")
    return {node.value for node in ids if isinstance(node, ast.Constant) and CHECK_ID.fullmatch(str(node.value))}


def _reason_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the expressions in a node whose shouted words are reasons."""
    match node:
        case ast.keyword(arg="reason"):
            yield node.value
        case ast.Assign(targets=[target]) if any("reason" in name.lower() for name in _names(target)):
            yield node.value
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments):
            position = REASON_POSITIONS.get(name)
            if position is not None and len(arguments) > position:
                yield arguments[position]
        case ast.Return(value=ast.Tuple(elts=[first, _, _])):
            yield first


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _words(expression: ast.AST) -> set[str]:
    constants = (node.value for node in ast.walk(expression) if isinstance(node, ast.Constant))
    return {text for text in constants if isinstance(text, str) and WORD.fullmatch(text)}
