"""Prints the GraphQL documents that the installed MLflow's interface ships, as its browser sends them, as JSON.

Runs in MLflow's environment. The bundle holds them as texts; Apollo Client parses each, asks for ``__typename`` in
every selection but the outermost, and prints it anew: so does this.
"""

import json
import re
import sys
from pathlib import Path

import mlflow.server
from graphql import FieldNode, NameNode, OperationDefinitionNode, Visitor, parse, print_ast, visit

BUNDLE = Path(mlflow.server.__file__).parent / "js" / "build"
DOCUMENT = re.compile(r"`(\s*(?:query|mutation|subscription|fragment)\s+\w+[^`]*\{[^`]*)`")
TYPENAME = FieldNode(name=NameNode(value="__typename"), selection_set=None, arguments=(), directives=())


class AddTypename(Visitor):
    def enter_selection_set(self, node, key, parent, path, ancestors):
        if not isinstance(parent, OperationDefinitionNode):
            node.selections = (*node.selections, TYPENAME)


def shipped():
    for path in sorted(BUNDLE.rglob("*.js")):
        for text in DOCUMENT.findall(path.read_text(encoding="utf-8", errors="replace")):
            document = parse(text)
            name = document.definitions[0].name.value
            yield name, print_ast(visit(document, AddTypename()))


json.dump(dict(shipped()), sys.stdout)
