"""The page of the client says what its parser takes, and what its exit statuses are."""

import argparse

import pytest

from hokusai_portal_client import endings
from hokusai_portal_client.main import parser
from tests.docs.documents import rows, sections

PAGE = sections("docs/client.md")
SHARED = {name: cells for name, cells in rows(PAGE["Address and key"]).items() if name.startswith("--")}


def commands(whole=None, before=""):
    """Each command by the words that call it."""
    for action in (whole or parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from commands(below, f"{before}{name} ") or ()
            return
    yield before.strip(), whole


COMMANDS = dict(commands())


def arguments_of(command):
    formatter, actions = command._get_formatter(), command._actions
    found = {", ".join(each.option_strings) or each.dest: [formatter._expand_help(each)] for each in actions}
    return {name: told for name, told in found.items() if name != "-h, --help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_command_of_the_client_is_documented_as_its_help_says(name):
    table = {argument: cells for argument, cells in rows(PAGE[name]).items() if argument not in {"argument", "---"}}
    assert table | SHARED == arguments_of(COMMANDS[name])
    assert COMMANDS[name].description in PAGE[name]


def test_exit_statuses_of_the_client_are_those_of_the_code():
    statuses = [int(status) for status in rows(PAGE["Exit statuses"]) if status.isdigit()]
    assert statuses == [endings.DONE, endings.FAILED, endings.NOT_BEGUN, endings.REFUSED, endings.UNAVAILABLE]
