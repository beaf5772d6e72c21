"""Around Django: which requests' keys are looked up early, and that no lookup is left over."""

import os
import subprocess
import sys

import pytest

from apikeys import authentication
from hokusai_portal.application import Application

CALL = "/api/mlflow/api/2.0/mlflow/experiments/get"


class Claim:
    """Stands for one that waits for the database."""

    def __init__(self):
        self.dropped = 0

    def drop(self):
        self.dropped += 1


@pytest.fixture
def claim(monkeypatch):
    claim = Claim()
    monkeypatch.setattr(authentication, "claim_early", lambda environ: environ.setdefault("claim", claim))
    return claim


def serve(django, path=CALL, **more):
    return Application(django)({"PATH_INFO": path} | more, lambda *_: None)


def test_django_finds_the_claim_and_what_it_leaves_is_dropped(claim):
    assert serve(lambda environ, _: [environ["claim"].dropped]) == [0]
    assert claim.dropped == 1


def test_claim_is_dropped_where_django_fails(claim):
    def fail(*_):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        serve(fail)
    assert claim.dropped == 1


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/", {}),
        ("/api/mlflow/", {}),
        ("/api/mlflowx/a", {}),
        ("/api/v1/keys", {}),
        ("/admin/", {}),
        (CALL, {"HTTP_ORIGIN": "https://a.example"}),
        (CALL, {"HTTP_COOKIE": "sessionid=1"}),
        (CALL, {"HTTP_SEC_FETCH_MODE": "cors"}),
    ],
)
def test_no_claim_is_made_of_what_is_no_call_of_a_client(claim, path, more):
    assert serve(lambda environ, _: ["claim" in environ], path, **more) == [False]


def test_claim_that_cannot_be_made_is_nobody_s_to_drop(monkeypatch):
    monkeypatch.setattr(authentication, "claim_early", lambda _: None)
    assert serve(lambda *_: [b"served"]) == [b"served"]


def test_any_server_can_load_it():
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-c", "from hokusai_portal.wsgi import application; print(type(application).__name__)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "Application\n", done.stderr
