"""The commands of docs/operations.md, taken from there and run in the containers of compose.yaml."""

import re
import sys
from collections.abc import Iterator

import pytest
import requests

from tests.docs.documents import blocks, commands
from tests.images import engine
from tests.images.compose import START_SECONDS, URL, Project
from tests.live.processes import eventually

pytestmark = pytest.mark.compose

LINES = list(dict.fromkeys(commands("docs/operations.md")))
WORD = "correct horse battery"
SUPERUSER = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_EMAIL": "a@example.org"}
CHANGE = f"printf '{WORD}\\n{WORD}\\n' | "
# As the role that owns the portal's tables; its password is in the container.
DATABASE = {"DATABASE_URL": "postgres://portal@127.0.0.1/portal"}
SEARCH = f"{URL}/api/mlflow/api/2.0/mlflow/experiments/search?max_results=1"


def line_of(sign: str) -> str:
    """Return the one command of the document that holds these words."""
    (line,) = (line for line in LINES if sign in line)
    return line


def inside(project: Project, service: str, line: str, **variables: str) -> str:
    """Run a line of the document in a container of a service; return what it prints."""
    told = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    line = line.replace(".venv/bin/python", "python")
    return engine.podman("exec", *told, project.containers(service)[0], "sh", "-c", line)


def in_database(project: Project, line: str) -> str:
    return inside(project, "database", f"export PGPASSWORD=$PORTAL_DATABASE_PASSWORD; {line}", **DATABASE)


def outside(project: Project, line: str, **variables: str) -> str:
    """Run a line of the document on this machine, with the front proxy in place of the addresses it names."""
    line = re.sub(r"https://registry\.example\.org|http://127\.0\.0\.1:8000", URL, line)
    line = line.replace("HOKUSAI_API_KEY=hk_live_… ", "").replace(".venv/bin/python", sys.executable)
    known = {"HOKUSAI_API_KEY": project.key(), "HOKUSAI_DATA_DIR": str(project.folder / "client")}
    known |= dict.fromkeys(("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), str(project.certificate))
    # Nothing of the suite's own environment, whose settings are the suite's.
    words = [f"{name}={value}" for name, value in ({"PATH": "/usr/bin:/bin"} | known | variables).items()]
    done = engine.call(["env", "--ignore-environment", *words, "sh", "-c", line])
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("sign", "printed"),
    [
        ("check --deploy", "no issues"),
        ("clearsessions", ""),
        ("issue_key --name first", "hk_live_"),
        ("issue_key --name shell", "hk_live_"),
        ("issue_key --name prometheus", "hk_live_"),
        ("manage.py migrate", "No migrations to apply"),
        ("roll_usage", ""),
        ("sweep_uploads", ""),
    ],
)
def test_command_of_the_portal_runs(project, sign, printed):
    assert printed in inside(project, "portal", line_of(sign))


def test_account_is_made_and_its_password_changed(project):
    inside(project, "portal", f"{line_of('createsuperuser')} --noinput", DJANGO_SUPERUSER_PASSWORD=WORD, **SUPERUSER)
    assert "changed successfully" in inside(project, "portal", CHANGE + line_of("changepassword"))


def test_service_is_given_signed_addresses_and_loses_them(project):
    line = line_of("presign_service")
    inside(project, "portal", line)
    inside(project, "portal", re.sub(r" on$", " off", line))


@pytest.mark.parametrize(
    ("sign", "printed"),
    [
        ("8000/ready", '"ready": true'),
        ("8000/metrics", "hokusai_keys"),
        ("mlflow-artifacts/artifacts", '"files"'),
        ("manage.py doctor", "files are deleted"),
    ],
)
def test_command_from_outside_runs(project, sign, printed):
    assert printed in outside(project, line_of(sign))


def test_end_of_a_key_is_told_in_a_shell(project):
    (line,) = (body for body in blocks("docs/operations.md", "bash") if "x-hokusai-key-expires" in body)
    assert outside(project, line) == ""
    assert (
        "x-hokusai-key-expires:"
        in outside(project, line, HOKUSAI_API_KEY=project.key("--expires-in-days", "3")).lower()
    )


def test_database_says_who_waits_for_whom(project):
    assert "pg_blocking_pids" in in_database(project, line_of("pg_blocking_pids"))


def test_old_part_of_the_trail_is_removed_by_the_owner_alone(project):
    (statements,) = (body for body in blocks("docs/operations.md", "sql") if "DISABLE TRIGGER" in body)
    psql = 'psql --set ON_ERROR_STOP=1 "$DATABASE_URL"'
    assert "DELETE 0" in in_database(project, f"{psql} <<'SQL'\n{statements}SQL")
    with pytest.raises(engine.CommandFailedError, match="append"):
        in_database(project, f"{psql} -c 'DELETE FROM apikeys_auditevent'")


def test_front_proxy_takes_a_new_certificate_without_an_end(project):
    project.compose("kill", "-s", "HUP", "front")
    assert eventually(project.is_ready, 30)


@pytest.fixture
def _portals_come_back(project: Project) -> Iterator[None]:
    yield
    engine.podman("start", *project.containers("portal"), *project.containers("worker"))
    assert eventually(project.is_ready, START_SECONDS)


@pytest.mark.usefixtures("_portals_come_back")
def test_restored_backup_revives_no_key(project):
    key = project.key()
    in_database(project, f"cd /tmp && {line_of('pg_dump')}")
    revoke = line_of("revoke_key").replace("hk_live_…", key[: len("hk_live_") + 12])
    log = inside(project, "portal", revoke)
    engine.podman("stop", *project.containers("portal"), *project.containers("worker"))
    in_database(project, f"cd /tmp && {line_of('pg_restore')}")
    again = line_of("end_again").replace(".venv/bin/python", "python").replace("portal.log trail.jsonl", "-")
    script = f"cat <<'LOG' | {again}\n{log}\nLOG"
    assert "Revoked 1," in project.compose("run", "--rm", "--no-deps", "-T", "migrate", "sh", "-c", script)
    engine.podman("start", *project.containers("portal"))
    assert eventually(project.is_ready, START_SECONDS)
    reply = requests.get(SEARCH, headers={"Authorization": f"Bearer {key}"}, verify=project.certificate, timeout=30)
    assert reply.status_code == 401
