"""House rules that no linter knows: one constant for the default service, no key in a file, no forbidden shortcut."""

import ast
import re
import subprocess

import pytest

from apikeys import keys
from hokusai_portal import env

PACKAGES = ("apikeys", "mlflow_proxy", "hokusai_portal", "client")
SOURCES = {
    path.relative_to(env.BASE_DIR).as_posix(): path.read_text()
    for package in PACKAGES
    for path in sorted((env.BASE_DIR / package).rglob("*.py"))
}
# Spelled apart, so that this list is no finding of its own.
STRAY_IDS = [
    "-".join(words.split()) for words in ("ml platform", "prediction api", "hokusai registry", "hokusai data pipeline")
]
# The mounts: their calls go on to views that need a key, or the interface's exact origin.
CSRF_EXEMPT = {"mlflow_proxy/ui/doors.py": 2}
REQUESTS = {
    "client/hokusai_portal_client/doctor.py",
    "client/hokusai_portal_client/portal.py",
    "hokusai_portal/stack.py",
    "mlflow_proxy/health/roads.py",
    "mlflow_proxy/health/visitors.py",
    "mlflow_proxy/management/commands/verify_registry.py",
}


def kept_files():
    """Every text file that is tracked or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=env.BASE_DIR, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (path := env.BASE_DIR / name).is_file():
            yield name, path.read_bytes().decode(errors="replace")


def occurrences(pattern):
    found = {name: len(re.findall(pattern, text)) for name, text in SOURCES.items()}
    return {name: count for name, count in found.items() if count}


def test_default_service_is_written_once():
    found = [
        name
        for name, text in SOURCES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and node.value == "platform"
    ]
    assert found == ["apikeys/models.py"]


@pytest.mark.parametrize("stray", STRAY_IDS)
def test_stray_service_id_is_in_the_documents_alone(stray):
    word = re.compile(rf"(?<![\w-]){stray}(?![\w-])")
    assert [name for name, text in kept_files() if word.search(text) and not name.startswith("docs/")] == []


def test_no_file_holds_a_working_key():
    found = []
    for name, text in kept_files():
        for match in re.finditer(r"hk_(?:live|test|dev)_[0-9A-Za-z]{52}", text):
            try:
                keys.parse(match[0])
            except keys.MalformedKeyError:
                continue
            found.append(name)
    assert found == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"\burljoin\b",
        r"\bmark_safe\b",
        r"\|safe\b",
        r"\bassert_same_host\s*=\s*True",
        r"\bcheck_password\b",
        r"\bpickle\b",
        r"\bobjects\.raw\b",
        r"\blogging\.basicConfig\b",
        r"\bdjango\.dispatch\b",
        r"\bshell\s*=\s*True",
    ],
)
def test_forbidden_shortcut_is_in_no_module(pattern):
    assert occurrences(pattern) == {}


def test_csrf_exempt_is_used_where_listed():
    assert occurrences(r"csrf_exempt") == CSRF_EXEMPT


def test_requests_is_imported_by_clients_alone():
    found = {name for name, text in SOURCES.items() if re.search(r"^\s*(import|from) requests\b", text, re.MULTILINE)}
    assert found == REQUESTS


def test_templates_mark_nothing_safe():
    for path in (env.BASE_DIR / "templates").rglob("*.html"):
        assert not re.search(r"\|\s*safe\b|autoescape off|<script", path.read_text()), path.name


def test_templates_carry_no_inline_style():
    for path in (env.BASE_DIR / "templates").rglob("*.html"):
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", path.read_text()), path.name


@pytest.mark.parametrize("name", SOURCES)
def test_module_is_below_its_hard_limit(name):
    assert len(SOURCES[name].splitlines()) <= 400


@pytest.mark.parametrize(
    "name", [name for name, text in SOURCES.items() if text and not name.endswith("0001_initial.py")]
)
def test_module_says_what_it_owns(name):
    assert ast.get_docstring(ast.parse(SOURCES[name]))


def test_suite_sets_no_limit_on_its_own_process_and_never_forks_it():
    """A limit on files ends pytest without a word where its output goes to a long file; so may a child of a fork."""
    forbidden = {"resource.setrlimit", "resource.prlimit", "os.fork", "os.forkpty", "os._exit", "os.abort"}
    found = [
        f"{path.relative_to(env.BASE_DIR)}:{node.lineno}"
        for path in (env.BASE_DIR / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in forbidden
        and getattr(node.value, "id", "") in {"os", "resource"}
    ]
    assert found == []
