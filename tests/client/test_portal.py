"""What the client makes of replies, of no reply, and of what stands between."""

import pytest
from werkzeug import Response

pytestmark = pytest.mark.usefixtures("account")


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (401, "UNAUTHENTICATED", 3),
        (403, "SCOPE_MISSING", 3),
        (404, "NOT_FOUND", 1),
        (409, "STATE_REFUSED", 1),
        (429, "RATE_EXCEEDED", 4),
        (503, "DATABASE_UNAVAILABLE", 4),
    ],
)
def test_problem_is_one_sentence_with_its_request_id(run, refuse, code, reason, status):
    refuse("/api/v1/whoami", code, reason)
    ended, out, err = run("whoami")
    assert (ended, out) == (status, "")
    assert err == f"hokusai-portal: It is refused. ({reason}, request id req-1)\n"


def test_problem_names_the_fields_that_were_refused(run, refuse):
    errors = [{"field": "name", "message": "Too long."}, {"field": "", "message": "x"}]
    refuse("/api/v1/keys", 400, "FIELD_REFUSED", "Some fields are refused.", errors=errors)
    assert "Some fields are refused. name: Too long. (FIELD_REFUSED" in run("keys", "create", "--name", "x")[2]


@pytest.mark.parametrize(("code", "status"), [(502, 4), (404, 1), (200, 1)])
def test_page_of_a_proxy_is_not_shown(run, httpserver, code, status):
    httpserver.expect_request("/api/v1/whoami").respond_with_data("<html>secret of the proxy</html>", status=code)
    ended, _, err = run("whoami")
    assert (ended, "html" in err) == (status, False)
    assert f"Status {code}, and not from the portal" in err


def test_reply_of_another_program_is_said_to_be_one(run, httpserver):
    httpserver.expect_request("/api/v1/whoami").respond_with_json({"hello": "world"})
    assert run("whoami") == (1, "", "hokusai-portal: The reply is not a portal's: it has no 'key'.\n")


def test_redirect_is_named_and_not_followed(run, httpserver):
    reply = Response(status=302, headers={"Location": f"{httpserver.url_for('/elsewhere')}?secret=1"})
    httpserver.expect_request("/api/v1/whoami").respond_with_response(reply)
    _, _, err = run("whoami")
    assert f"Status 302 to {httpserver.host}:{httpserver.port}" in err
    assert [request.path for request, _ in httpserver.log] == ["/api/v1/whoami"]


def test_no_answer_is_status_4(run, monkeypatch):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", "http://127.0.0.1:9")
    status, _, err = run("whoami")
    assert (status, "hokusai-portal doctor" in err) == (4, True)


def test_environment_of_this_machine_changes_no_call(run, me, httpserver, home, secret, monkeypatch):
    (home / "netrc").write_text(f"machine {httpserver.host} login netrc password netrc\n")
    (home / "netrc").chmod(0o600)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert run("whoami")[0] == 0
    request, _ = httpserver.log[-1]
    assert request.headers["Authorization"] == f"Bearer {secret}"


def test_proxy_is_the_one_that_is_named(run, me, secret, url, monkeypatch):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", "http://localhost:9")
    assert run("whoami", "--proxy", url)[0] == 0


@pytest.mark.parametrize("words", [("--proxy", "http://user:word@127.0.0.1:9"), ("--ca-bundle", "/nowhere.pem")])
def test_flag_that_cannot_be_meant_is_status_2(run, httpserver, words):
    status, _, err = run("whoami", *words)
    assert (status, "word" in err.replace("password", "")) == (2, False)
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("more", "cure"), [({}, "hokusai-portal keys rotate"), ({"Deprecation": "@1"}, "It has a successor")]
)
def test_key_that_ends_is_warned_of_once_and_beside_the_document(run, httpserver, key, more, cure):
    headers = {"X-Hokusai-Key-Expires": "2026-10-02T12:00:00+00:00", **more}
    for query, following in (("", "http://x.example/?cursor=a"), ("cursor=a", None)):
        page = {"results": [key()], "next": following}
        httpserver.expect_request("/api/v1/keys", query_string=query).respond_with_json(page, headers=headers)
    status, out, err = run("keys", "list", "--quiet")
    assert (status, len(out.splitlines())) == (0, 2)
    assert err.count("the key ends 2026-10-02T12:00:00+00:00") == 1
    assert cure in err


def test_key_that_does_not_end_is_not_warned_of(run, me):
    assert run("whoami")[2] == ""
