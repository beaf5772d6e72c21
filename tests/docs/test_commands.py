"""Every command of the documents exists with the options shown, and every address of the portal leads somewhere."""

import re
import shlex
from argparse import SUPPRESS

import pytest
from django.core import management
from django.core.management import BaseCommand, find_commands, get_commands, load_command_class
from django.urls import resolve

from apikeys.management import base
from tests.docs.documents import DOCUMENTS, commands, rows, sections, text

EVERY_COMMAND = [(name, command) for name in DOCUMENTS for command in commands(name)]
README = sections("README.md")


COMMANDS = sections("docs/commands.md")
APPS = {"apikeys", "mlflow_proxy", "hokusai_portal"}
# What an app changes of a command of Django's is in Django's documents.
DJANGOS = set(find_commands(management.__path__[0]))
OWN = sorted(name for name, app in get_commands().items() if app in APPS and name not in DJANGOS)
OF_DJANGO = {action.dest for action in BaseCommand().create_parser("manage.py", "any")._actions}
ENDLESS = {"run_worker"}


def arguments_of(name):
    """The arguments of a command beside Django's own, each with its help."""
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    actions = [action for action in parser._actions if action.dest not in OF_DJANGO and action.help != SUPPRESS]
    formatter = parser._get_formatter()
    return {", ".join(each.option_strings) or each.dest: [formatter._expand_help(each)] for each in actions}


def running(pattern):
    """The commands of the documents that match, each with what follows the match."""
    found = ((name, re.search(pattern, command)) for name, command in EVERY_COMMAND)
    return sorted({(name, match[1]) for name, match in found if match})


def words(line):
    """The words of one command of the shell, up to where it ends."""
    return shlex.split(re.split(r"[;|)>]", line)[0])


@pytest.mark.parametrize(("name", "target"), running(r"\bmake ([\w.-]+)"))
def test_make_target_exists(name, target):
    assert re.search(rf"^{re.escape(target)}:.*## ", text("Makefile"), re.MULTILINE)


@pytest.mark.parametrize(("name", "line"), running(r"manage\.py (\S.*)"))
def test_management_command_takes_these_options(name, line):
    command, *arguments = words(line)
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    parser.parse_args(arguments)


@pytest.mark.parametrize(("name", "program"), running(r"(?:^|[ (])(\.venv(?:-mlflow)?/bin/\w+)"))
def test_program_is_installed_by_the_makefile(name, program):
    assert f"{program.split('/')[0]}/.installed" in text("Makefile")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_address_of_the_portal_resolves(name):
    for path in re.findall(r"http://127\.0\.0\.1:8000(/[^\s`\"')]*)?", text(name)):
        resolve(path.partition("?")[0] or "/")


def addresses():
    cells = [cell for cell in rows(README["Where things are"]) if cell.startswith("/")]
    return [span.strip("`") for cell in cells for span in cell.split(", ")]


def test_addresses_are_listed():
    assert "/ready" in addresses()


@pytest.mark.parametrize("address", addresses())
def test_listed_address_answers(portal, db, settings, address):
    settings.MLFLOW_SERVER_URL = "http://127.0.0.1:9"
    expected = {"/ready": 503, "/api/health/mlflow": 503, "/admin/": 302, "/api/v1/keys/validate": 401}
    expected |= {"/api/docs/": 401, "/api/schema/": 401, "/api/docs/errors": 200}
    expected["/metrics"] = expected["/mlflow/"] = 401
    expected["/admin/storage-health/"] = 302
    open_or_guarded = 401 if "…" in address else 200
    assert portal.get(address.replace("…", "x")).status_code == expected.get(address, open_or_guarded)


def test_package_stands_in_the_file_that_the_readme_names():
    table = {file: cells for file, cells in rows(README["Development"]).items() if file.endswith(".txt")}
    missing = [
        (file, package)
        for file, cells in table.items()
        for package in re.findall(r"`([\w-]+)`", cells[1])
        if not re.search(rf"^{package}(\[.*\])?==", text(file), re.MULTILINE)
    ]
    assert len(table) == 3
    assert missing == []


def test_every_make_target_is_in_the_readme():
    targets = re.findall(r"^([a-z-]+):.*## ", text("Makefile"), re.MULTILINE)
    assert [target for target in targets if f"make {target}" not in rows(README["Development"])] == []


@pytest.mark.parametrize("name", OWN)
def test_command_is_documented_as_its_help_says(name):
    table = rows(COMMANDS[name])
    assert table.pop("argument") == ["does"]
    table.pop("---", None)
    assert table == arguments_of(name)
    assert load_command_class(get_commands()[name], name).help in COMMANDS[name]


def test_every_section_of_a_command_is_one():
    assert [name for name in COMMANDS if "_" in name and name not in OWN] == []


@pytest.mark.parametrize("name", sorted(set(OWN) - ENDLESS))
def test_command_speaks_to_programs(name):
    assert arguments_of(name)["--json"] == ["print one JSON document"]


def test_exit_statuses_are_those_of_the_code():
    statuses = {int(status) for status in rows(COMMANDS["Exit statuses"]) if status.isdigit()}
    assert statuses == {0, base.FAILED, base.NOT_BEGUN, base.ANSWER_IS_NO}
