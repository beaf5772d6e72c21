"""Accounts: where address and key come from, who may read the file, and where a key never goes."""

import io
import json
import sys

import pytest

from apikeys import keys


@pytest.fixture
def stored(home, url, secret):
    """An account that login has stored."""
    path = home / "config/hokusai-portal/account.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"url": url, "key": secret}))
    path.chmod(0o600)
    return path


@pytest.fixture
def typed(monkeypatch):
    """What comes on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_login_stores_the_account_for_this_user_alone(run, home, url, secret, me, typed):
    typed(f"{secret}\n")
    status, out, _ = run("login", "--url", f"{url}/api/mlflow/")
    path = home / "config/hokusai-portal/account.json"
    assert status == 0
    assert secret not in out
    assert json.loads(path.read_text()) == {"url": url, "key": secret}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == ["account.json"]


def test_login_again_replaces_the_account(run, stored, url, secret, me, typed):
    stored.write_text("no JSON")
    typed(secret)
    assert run("login", "--url", url, "--quiet")[:2] == (0, "")
    assert json.loads(stored.read_text())["key"] == secret


def test_login_asks_a_person_without_echo(run, home, url, secret, me, monkeypatch):
    person = io.StringIO(f"{url}\n")
    person.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", person)
    monkeypatch.setattr("getpass.getpass", lambda _: secret)
    status, _, err = run("login")
    assert (status, "Address of the portal" in err) == (0, True)


def test_login_with_a_refused_key_stores_nothing(run, home, url, secret, refuse, typed):
    refuse("/api/v1/whoami", 401, "UNAUTHENTICATED", "The API key is not valid.")
    typed(secret)
    assert run("login", "--url", url)[0] == 3
    assert not (home / "config").exists()


def test_login_with_what_is_no_key_sends_nothing(run, url, httpserver, typed):
    typed("a-password-of-something-else\n")
    status, _, err = run("login", "--url", url)
    assert (status, "password" in err) == (2, False)
    assert httpserver.log == []


def test_login_warns_where_the_environment_wins(run, url, secret, me, typed, monkeypatch):
    monkeypatch.setenv("HOKUSAI_API_KEY", keys.mint("live").text)
    typed(secret)
    assert "HOKUSAI_API_KEY is set" in run("login", "--url", url)[2]


def test_stored_account_is_used(run, stored, me):
    assert run("whoami")[0] == 0


def test_environment_wins_over_the_file(run, stored, secret, monkeypatch):
    other = keys.mint("live").text
    monkeypatch.setenv("HOKUSAI_API_KEY", other)
    assert other in run("env")[1]


def test_stored_key_goes_to_no_other_portal(run, stored, monkeypatch, httpserver):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", httpserver.url_for("").replace("localhost", "127.0.0.1").rstrip("/"))
    status, _, err = run("whoami")
    assert (status, "No key for" in err) == (2, True)
    assert httpserver.log == []


@pytest.fixture
def rotated(httpserver, key, secret):
    """The portal rotates the stored key; returns the new one."""
    new = keys.mint("live")
    document = key(key_id=new.public_id, secret=new.text, api_key=new.text)
    path = f"/api/v1/keys/{secret[:20]}/rotate"
    httpserver.expect_request(path, method="POST").respond_with_json(document, status=201)
    return new.text


@pytest.mark.parametrize("form", ["--json", "--quiet", "--ca-bundle="])
def test_rotate_puts_the_new_key_in_the_place_of_the_stored_one(run, stored, url, rotated, form):
    status, out, err = run("keys", "rotate", "--store", form)
    assert (status, rotated in out + err) == (0, False)
    assert json.loads(stored.read_text()) == {"url": url, "key": rotated}
    assert stored.stat().st_mode & 0o777 == 0o600


def test_rotate_loses_no_key_that_cannot_be_stored(run, stored, rotated, monkeypatch):
    monkeypatch.setattr("hokusai_portal_client.commands.store_account", fail_to_write)
    status, out, err = run("keys", "rotate", "--store", "--quiet")
    assert (status, out.strip(), "could not be stored" in err) == (0, rotated, True)


def fail_to_write(_):
    raise OSError


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_file_that_others_may_read_is_refused(run, stored, httpserver, mode):
    stored.chmod(mode)
    status, _, err = run("whoami")
    assert (status, f"chmod 600 {stored}" in err) == (2, True)
    assert httpserver.log == []


@pytest.mark.parametrize("text", ["", "[]", '"x"', "{}", '{"url": "https://x.example"}'])
def test_file_that_says_nothing_is_named(run, stored, text):
    stored.write_text(text)
    status, _, err = run("whoami")
    assert (status, str(stored) in err) == (2, True)


def test_nothing_set_says_what_to_do(run):
    status, _, err = run("whoami")
    assert (status, "hokusai-portal login" in err) == (2, True)


@pytest.mark.parametrize(
    "url",
    [
        "registry.example.org",
        "ftp://x.example",
        "https://user:word@x.example",
        "https://x.example/ui",
        "https://",
        "https://x:a",
        "https://[",
    ],
)
def test_address_of_another_form_is_refused(run, secret, monkeypatch, url):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", url)
    monkeypatch.setenv("HOKUSAI_API_KEY", secret)
    status, out, err = run("env")
    assert (status, out, "must look like" in err) == (2, "", True)


def test_address_in_clear_is_warned_about(run, secret, monkeypatch):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", "http://registry.example.org")
    monkeypatch.setenv("HOKUSAI_API_KEY", secret)
    assert "not https" in run("env")[2]
