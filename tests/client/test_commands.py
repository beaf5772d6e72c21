"""Commands of the client: what each asks, and its three forms."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("account")


def asked(httpserver):
    """The last request: method, path and JSON."""
    request, _ = httpserver.log[-1]
    return request.method, request.path, request.get_json(silent=True)


def test_whoami_has_three_forms(run, me, secret):
    assert run("whoami", "--quiet")[:2] == (0, f"{secret[:20]}\n")
    assert json.loads(run("whoami", "--json")[1])["key"]["service_id"] == "batch"
    text = run("whoami")[1]
    assert f"Key {secret[:20]} of service batch, seen from 127.0.0.1" in text
    assert "2026-10-02 12:00" in text
    assert secret not in text


def test_env_prints_the_two_exports_and_asks_nobody(run, url, secret, httpserver):
    exports = [f"export MLFLOW_TRACKING_URI={url}/api/mlflow", f"export MLFLOW_TRACKING_TOKEN={secret}"]
    assert run("env")[1].splitlines() == exports
    assert json.loads(run("env", "--json")[1])["MLFLOW_TRACKING_TOKEN"] == secret
    assert httpserver.log == []


def test_list_follows_pages_and_sends_the_key_nowhere_else(run, httpserver, key):
    first = {"results": [key()], "next": "https://evil.example.org/api/v1/keys?cursor=abc&service=batch"}
    last = {"results": [key(name="second")], "next": None, "previous": None}
    pages = {"service=batch": first, "cursor=abc&service=batch": last}
    for query, page in pages.items():
        httpserver.expect_request("/api/v1/keys", query_string=query).respond_with_json(page)
    status, out, _ = run("keys", "list", "--service", "batch", "--json")
    assert status == 0
    assert [found["name"] for found in json.loads(out)] == ["laptop", "second"]


def test_list_prints_an_aligned_table(run, httpserver, key):
    page = {"results": [key(), key(name="a-longer-name", last_used_at=None)], "next": None}
    httpserver.expect_request("/api/v1/keys").respond_with_json(page)
    heading, *lines = run("keys", "list")[1].splitlines()
    assert heading.split() == ["KEY", "SERVICE", "NAME", "STATUS", "EXPIRES", "LAST", "USED"]
    assert {line[heading.index("EXPIRES") :][:16] for line in lines} == {"2026-10-02 12:00"}
    assert run("keys", "list", "--quiet")[1].split() == [key()["key_id"]] * 2


def test_list_of_nothing_says_so(run, httpserver):
    httpserver.expect_request("/api/v1/keys").respond_with_json({"results": [], "next": None})
    assert run("keys", "list")[:2] == (0, "No keys.\n")
    assert run("keys", "list", "--quiet")[:2] == (0, "")


def test_list_lets_no_name_move_the_cursor(run, httpserver, key):
    page = {"results": [key(name="a\x1b[2Jb\nc")], "next": None}
    httpserver.expect_request("/api/v1/keys").respond_with_json(page)
    out = run("keys", "list")[1]
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2


def test_create_sends_what_was_said_and_nothing_else(run, httpserver, key, secret):
    httpserver.expect_request("/api/v1/keys", method="POST").respond_with_json(key(secret=secret), status=201)
    words = ("--name", "ci", "--scope", "mlflow:read", "--scope", "model:read", "--expires-in-days", "7")
    assert run("keys", "create", *words, "--quiet")[:2] == (0, f"{secret}\n")
    document = {"name": "ci", "scopes": ["mlflow:read", "model:read"], "expires_in_days": 7}
    assert asked(httpserver) == ("POST", "/api/v1/keys", document)


def test_create_sends_every_field(run, httpserver, key, secret):
    httpserver.expect_request("/api/v1/keys", method="POST").respond_with_json(key(secret=secret), status=201)
    words = ("--name", "ci", "--service", "batch", "--preset", "reader", "--note", "x")
    assert secret in run("keys", "create", *words, "--allow-ip", "192.0.2.0/24", "--rate-limit-per-hour", "100")[1]
    document = {"name": "ci", "service_id": "batch", "preset": "reader", "note": "x"}
    assert asked(httpserver)[2] == document | {"allowed_ips": ["192.0.2.0/24"], "rate_limit_per_hour": 100}


def test_create_leaves_no_number_out_because_it_is_zero(run, httpserver, key, secret):
    httpserver.expect_request("/api/v1/keys", method="POST").respond_with_json(key(secret=secret), status=201)
    run("keys", "create", "--name", "", "--expires-in-days", "0")
    assert asked(httpserver)[2] == {"name": "", "expires_in_days": 0}


@pytest.mark.parametrize(("words", "document"), [((), {}), (("--grace-seconds", "0"), {"grace_seconds": 0})])
def test_rotate_without_an_id_rotates_the_own_key(run, httpserver, key, secret, words, document):
    path = f"/api/v1/keys/{secret[:20]}/rotate"
    httpserver.expect_request(path, method="POST").respond_with_json(key(secret=secret), status=201)
    assert run("keys", "rotate", "--quiet", *words)[:2] == (0, f"{secret}\n")
    assert asked(httpserver) == ("POST", path, document)


@pytest.mark.parametrize("more", [("hk_live_000000000000",), ()])
def test_rotate_stores_nothing_in_the_place_of_another_key(run, httpserver, more):
    assert run("keys", "rotate", *more, "--store")[0] == 2
    assert httpserver.log == []


def test_revoke_sends_the_reason(run, httpserver, key, secret):
    path = f"/api/v1/keys/{secret[:20]}/revoke"
    httpserver.expect_request(path, method="POST").respond_with_json(key(status="revoked"))
    status, out, _ = run("keys", "revoke", secret[:20], "--reason", "lost")
    assert (status, "is revoked" in out) == (0, True)
    assert asked(httpserver) == ("POST", path, {"reason": "lost"})


@pytest.mark.parametrize("words", [("rotate",), ("revoke", "--reason", "lost")])
def test_whole_key_pasted_for_an_id_is_neither_sent_nor_repeated(run, httpserver, secret, words):
    status, out, err = run("keys", words[0], secret, *words[1:])
    assert (status, secret in out + err) == (2, False)
    assert httpserver.log == []


@pytest.mark.parametrize("words", [(), ("keys",), ("keys", "create"), ("whoami", "--json", "--quiet"), ("delete",)])
def test_arguments_that_make_no_sense_are_status_2(run, words):
    assert run(*words)[0] == 2
