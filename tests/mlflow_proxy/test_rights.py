"""Rights over real sockets: a refused call opens no connection to MLflow. Names carry the case they stand for."""

import json
from typing import Any

import pytest

from mlflow_proxy import denied
from mlflow_proxy.routes import Route
from tests.mlflow_proxy.portal import Home, Portal
from tests.mlflow_proxy.refusals import body_of, path_of, refused, row_id, rows
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.wire import CREATE, FILES, SEARCH, M, call, head, send_raw, status_of

FORMS = ("api", "ajax-api")
API, AJAX = f"{M}/api/2.0/mlflow", f"{M}/ajax-api/2.0/mlflow"
NEW_EXPERIMENT, NEW_VERSION = f"{API}/experiments/create", f"{API}/model-versions/create"


@pytest.fixture(scope="session")
def _more_keys(home: Home) -> None:
    home.issue("no-artifacts", "--scope", "mlflow:write", "--scope", "model:write")
    home.issue("registry-reader", "--scope", "model:read")


@pytest.fixture
def keys(_more_keys: None) -> None:
    """Two keys more: one without the artifacts, one with the registry alone."""


# P0 21: a reader's key.


@pytest.mark.parametrize("row", rows("write", "delete", "admin"), ids=row_id)
def test_p0_21_reader_is_refused_every_change(served: Portal, upstream: Stub, row: Route) -> None:
    target = f"{M}/{path_of(row)}"
    document = refused(served, upstream, row.method, target, 403, "SCOPE_MISSING", who="reader", body=body_of(row))
    assert document["error_code"] == "PERMISSION_DENIED"
    assert document["operation"] == row.operation
    assert document["required_scope"] == row.scope
    assert document["current_scopes"] == ["artifact:read", "mlflow:read", "model:read"]
    assert served.home.keys["reader"].startswith(document["api_key"])
    assert len(document["api_key"]) == len("hk_live_") + 12


def test_p0_21_reader_may_read(served: Portal, upstream: Stub) -> None:
    assert call(served, "GET", SEARCH, who="reader").status == 200


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", [path for path in denied.REASONS if path])
def test_p0_21_route_of_the_never_list_is_404_for_the_operator(
    served: Portal, upstream: Stub, path: str, form: str
) -> None:
    prefix = f"{form}/" if path.startswith(("2.0", "3.0")) else ""
    for target in (f"{M}/{prefix}{path}", f"/mlflow/{prefix}{path}/x/y"):
        refused(served, upstream, "POST", target, 404, "ROUTE_UNKNOWN", body=b"{}")


# P0 22: spellings of a path.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "path",
    [
        *("%2530/run/artifacts/a", "%252530/run/artifacts/a", "0%252frun/artifacts/a", "0%2frun/artifacts/a"),
        *("./0/run/artifacts/a", "0//run/artifacts/a", "%2e%2e/x", "%252e%252e/x", "..%5c..%5cx", "x/../y", "/0/a"),
        *("/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "0/a%0Ab", "0/a%00", "0/%C3", "0/a%5Cb", "0/a/"),
        *("workspaces/other/0/run/artifacts/a", "workspaces", "%77orkspaces/other/a", "workspaces/%6fther/a"),
    ],
)
def test_p0_22_artifact_path_spellings_are_refused(served: Portal, upstream: Stub, path: str, form: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        target = f"{M}/{form}/2.0/mlflow-artifacts/artifacts/{path}"
        refused(served, upstream, method, target, 400, body=None if method == "GET" else b"x")


@pytest.mark.parametrize("path", ["0/run/artifacts/100%25.txt", "0/run/artifacts/a%20b", "0/run/artifacts/%C3%BC"])
def test_p0_22_clear_name_goes_up_as_it_was_decided_on(served: Portal, upstream: Stub, path: str) -> None:
    assert call(served, "PUT", f"{FILES}/{path}", body=b"x").status == 200
    assert upstream.seen[0].target == f"/api/2.0/mlflow-artifacts/artifacts/{path}"


@pytest.mark.parametrize("path", ["%61pi/2.0/mlflow/runs/create", "api/2.0/mlflow/runs/%63reate"])
def test_p0_22_escaped_letters_get_the_decision_of_the_plain_path(served: Portal, upstream: Stub, path: str) -> None:
    refused(served, upstream, "POST", f"{M}/{path}", 403, "SCOPE_MISSING", who="reader", body=b"{}")
    assert call(served, "POST", f"{M}/{path}", body=b"{}").status == 200
    assert upstream.seen[0].target == "/mlflow/api/2.0/mlflow/runs/create"


@pytest.mark.parametrize(
    "target",
    ["/mlflow%2Fapi/2.0/mlflow/runs/create", f"{M}%2fapi/2.0/mlflow/runs/create", f"{M}//api/2.0/mlflow/runs/create"],
)
def test_p0_22_structure_in_escapes_never_reaches_mlflow(served: Portal, upstream: Stub, target: str) -> None:
    assert call(served, "POST", target, body=b"{}").status in {400, 404}
    assert upstream.connections == 0


@pytest.mark.parametrize("dots", ["..", "%2e%2e", ".%2E"])
def test_p0_22_dot_segments_do_not_leave_the_route(served: Portal, upstream: Stub, dots: str) -> None:
    path = "/".join(["x", *[dots] * 3, "mlflow/webhooks"])
    refused(served, upstream, "GET", f"{FILES}/{path}", 400, "AMBIGUOUS_PATH")


@pytest.mark.parametrize(
    "path", ["", "/", "/.", "/%2e", "/./.", "/%252e", "/0", "/0/run", "/0/run/artifacts", "/0/models/m-1"]
)
@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_artifact_root_delete_is_refused_even_to_the_operator(
    served: Portal, upstream: Stub, method: str, path: str
) -> None:
    document = refused(served, upstream, method, f"{FILES}{path}", 404 if path == "" else 400, body=b"x")
    assert document["reason"] in {"ARTIFACT_PATH_TOO_SHORT", "AMBIGUOUS_PATH", "ROUTE_UNKNOWN"}


def test_artifact_root_listing_is_answered(served: Portal, upstream: Stub) -> None:
    assert call(served, "GET", f"{FILES}?path=").json == {"files": []}


def test_artifact_delete_of_a_whole_path_needs_its_own_scope(served: Portal, upstream: Stub) -> None:
    refused(served, upstream, "DELETE", f"{FILES}/0/run/artifacts/a", 403, "SCOPE_MISSING", who="reader")
    assert call(served, "DELETE", f"{FILES}/0/run/artifacts/a").status == 200


@pytest.mark.parametrize(
    "query", ["path=%252e%252e", "path=../x", "path=/etc", "path=workspaces/other", "path=a&path=b"]
)
def test_p0_22_listing_path_in_the_query_is_judged_too(served: Portal, upstream: Stub, query: str) -> None:
    refused(served, upstream, "GET", f"{FILES}?{query}", 400)


@pytest.mark.parametrize(
    "target",
    [
        f"{M}/get-artifact?run_uuid=r&path=a",
        f"{M}/model-versions/get-artifact?name=m&version=1&path=a",
        f"{M}/ajax-api/2.0/mlflow/get-trace-artifact?request_id=t",
        f"{M}/ajax-api/3.0/mlflow/get-trace-artifact?request_id=t",
        f"{AJAX}/logged-models/m-1/artifacts/files?artifact_file_path=a",
        f"{API}/logged-models/m-1/artifacts/directories",
        f"{API}/artifacts/list?run_id=r",
        f"{FILES}?path=0",
    ],
)
def test_artifact_side_doors_need_the_scope_of_artifacts(
    served: Portal, upstream: Stub, keys: None, target: str
) -> None:
    document = refused(served, upstream, "GET", target, 403, "SCOPE_MISSING", who="no-artifacts")
    assert document["required_scope"] == "artifact:read"


def test_artifact_side_doors_upload_needs_the_scope_of_artifacts(served: Portal, upstream: Stub, keys: None) -> None:
    target = f"{AJAX}/upload-artifact?run_uuid=r&path=a"
    document = refused(served, upstream, "POST", target, 403, "SCOPE_MISSING", who="no-artifacts", body=b"x")
    assert document["required_scope"] == "artifact:write"


def test_artifact_side_doors_bulk_history_needs_the_scope_of_runs(served: Portal, upstream: Stub, keys: None) -> None:
    target = f"{AJAX}/metrics/get-history-bulk?run_id=a&run_id=b&metric_key=m"
    refused(served, upstream, "GET", target, 403, "SCOPE_MISSING", who="registry-reader")
    assert call(served, "GET", target, who="reader").status == 200


# P0 23: names for the same thing.


@pytest.mark.parametrize("query", ["run_id=a&run_id=b", "run_id=a&run_uuid=b", "run_uuid=a&run_uuid=b"])
@pytest.mark.parametrize("path", ["api/2.0/mlflow/runs/get", "get-artifact"])
def test_p0_23_id_aliases_in_the_query_are_refused(served: Portal, upstream: Stub, path: str, query: str) -> None:
    refused(served, upstream, "GET", f"{M}/{path}?{query}", 400, "AMBIGUOUS_QUERY")


@pytest.mark.parametrize("path", ["api/2.0/mlflow/runs/get", "api/2.0/mlflow/experiments/search", "get-artifact"])
def test_p0_23_body_of_a_get_is_refused(served: Portal, upstream: Stub, path: str) -> None:
    refused(served, upstream, "GET", f"{M}/{path}", 400, "BODY_REFUSED", body=b'{"run_id":"a"}')


@pytest.mark.parametrize(
    "raw",
    [
        b'{"run_id":"a","run_id":"b"}',
        b'{"run_id":"a","run_uuid":"b"}',
        b'{"run_id":"a","runId":"b"}',
        b'"{\\"run_id\\":\\"a\\"}"',
        '{"run_id":"a"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"run_id":"a"}',
        b"[]",
        b"run_id=a",
        b'{"a":' * 65 + b"1" + b"}" * 65,
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "runs/log-batch"), ("DELETE", "registered-models/delete")])
def test_p0_23_id_aliases_in_the_body_are_refused(
    served: Portal, upstream: Stub, method: str, path: str, raw: bytes
) -> None:
    refused(served, upstream, method, f"{API}/{path}", 400, "BODY_REFUSED", body=raw)


def test_p0_23_chunked_body_is_judged_too(served: Portal, upstream: Stub) -> None:
    request = head(served, f"POST {API}/runs/log-batch HTTP/1.1", "Transfer-Encoding: chunked")
    assert status_of(send_raw(served, request, b'1b\r\n{"run_id":"a","run_id":"b"}\r\n0\r\n\r\n')) == 400
    assert upstream.connections == 0


def test_p0_23_clear_body_goes_up_byte_for_byte(served: Portal, upstream: Stub) -> None:
    raw = b' { "run_id" : "\\u0061", "metrics": [1.0, NaN] } '
    assert call(served, "POST", f"{API}/runs/log-batch", body=raw).status == 200
    assert upstream.seen[0].body == raw


def test_p0_23_several_values_of_a_list_keep_their_order(served: Portal, upstream: Stub) -> None:
    query = "experiment_ids=2&order_by=a&experiment_ids=1"
    assert call(served, "GET", f"{API}/experiments/search?{query}").status == 200
    assert upstream.seen[0].target.endswith(f"?{query}")


@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
@pytest.mark.parametrize(
    "location", ["file:///etc", "/etc", "s3://other", "mlflow-artifacts:/../x", "mlflow-artifacts://h/x"]
)
@pytest.mark.parametrize("form", FORMS)
def test_artifact_location_elsewhere_is_refused(
    served: Portal, upstream: Stub, form: str, location: str, field: str
) -> None:
    target = f"{M}/{form}/2.0/mlflow/experiments/create"
    body = json.dumps({"name": "e", field: location}).encode()
    refused(served, upstream, "POST", target, 400, "LOCATION_REFUSED", body=body)


@pytest.mark.parametrize(
    "source", ["s3://finance-backups/dumps", "gs://b", "dbfs:/", "uc:/", "models:/x/1#", "x/y", ""]
)
def test_model_source_elsewhere_is_refused(served: Portal, upstream: Stub, source: str) -> None:
    body = json.dumps({"name": "m", "source": source}).encode()
    refused(served, upstream, "POST", NEW_VERSION, 400, "LOCATION_REFUSED", body=body)


@pytest.mark.parametrize(
    ("target", "document"),
    [
        (NEW_EXPERIMENT, {"name": "e"}),
        (NEW_EXPERIMENT, {"name": "e", "artifact_location": "mlflow-artifacts:/models"}),
        (NEW_VERSION, {"name": "m", "source": "runs:/r/model"}),
        (NEW_VERSION, {"name": "p", "source": "prompt-template"}),
    ],
)
def test_location_that_the_portal_serves_passes(
    served: Portal, upstream: Stub, target: str, document: dict[str, Any]
) -> None:
    assert call(served, "POST", target, body=json.dumps(document).encode()).status == 200


# P0 24: signed addresses of the store are off unless a service has them, and their issue has MLflow's other routes.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("body", [b'{"path":"../../0/x","num_parts":100000}', b'{"path":"x","num_parts":-1}'])
@pytest.mark.parametrize("verb", ["create", "complete", "abort"])
def test_p0_24_multipart_is_off_whatever_it_asks_for(
    served: Portal, upstream: Stub, verb: str, body: bytes, form: str
) -> None:
    target = f"{M}/{form}/2.0/mlflow-artifacts/mpu/{verb}/0/run/artifacts/x"
    refused(served, upstream, "POST", target, 501, "PRESIGNED_OFF", body=body)


@pytest.mark.parametrize("form", FORMS)
def test_p0_24_presigned_download_is_off(served: Portal, upstream: Stub, form: str) -> None:
    target = f"{M}/{form}/2.0/mlflow-artifacts/presigned/0/run/artifacts/x"
    refused(served, upstream, "GET", target, 501, "PRESIGNED_OFF")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "mlflow/artifacts/presigned-upload-url"),
        ("POST", "mlflow/artifacts/presigned-download-url"),
        ("GET", "mlflow/artifacts/presigned-download-url"),
        ("POST", "mlflow-artifacts/presigned/0/run/artifacts/x"),
    ],
)
def test_p0_24_presigned_issue_is_404(served: Portal, upstream: Stub, method: str, path: str, form: str) -> None:
    body = b'{"expiration":604800}' if method == "POST" else None
    refused(served, upstream, method, f"{M}/{form}/2.0/{path}", 404, "ROUTE_UNKNOWN", body=body)


# P0 26: the assistant, and who MLflow takes the caller for.


@pytest.mark.parametrize("forged", [{}, {"X-Forwarded-For": "127.0.0.1"}, {"Connection": "X-Forwarded-For"}])
@pytest.mark.parametrize(
    "path", ["providers/claude_code/health", "skills/install", "sessions/1/stream", "config", "message"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_p0_26_assistant_is_404_whoever_asks(
    served: Portal, upstream: Stub, method: str, path: str, forged: dict[str, str]
) -> None:
    target = f"{M}/ajax-api/3.0/mlflow/assistant/{path}"
    refused(
        served, upstream, method, target, 404, "ROUTE_UNKNOWN", headers=forged, body=b"" if method == "POST" else None
    )


@pytest.mark.parametrize("forged", ["127.0.0.1", "::1", "127.0.0.1, 198.51.100.66", "unknown", ""])
def test_p0_26_outbound_address_behind_a_proxy_is_the_real_client(
    behind_proxy: Portal, upstream: Stub, forged: str
) -> None:
    hops = ", ".join(filter(None, [forged, "203.0.113.9"]))
    call(behind_proxy, "GET", SEARCH, headers={"X-Forwarded-For": hops})
    assert upstream.seen[0].all_of("X-Forwarded-For") == ["203.0.113.9"]


def test_p0_26_outbound_address_survives_a_connection_header_that_names_it(served: Portal, upstream: Stub) -> None:
    call(served, "GET", SEARCH, headers={"X-Forwarded-For": "8.8.8.8", "Connection": "close, X-Forwarded-For"})
    assert upstream.seen[0].all_of("X-Forwarded-For") == ["127.0.0.1"]


# The other doors.


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", f"ajax-api/3.0/jobs{rest}") for rest in ("", "/search", "/cancel/1")),
        ("GET", "ajax-api/3.0/jobs/1"),
        *(
            ("POST", f"{form}/3.0/mlflow/{path}")
            for form in FORMS
            for path in (
                *("scorer/invoke", "scorers/register", "genai/evaluate/invoke", "issues/invoke", "demo/generate"),
                *("prompt-optimization/jobs", "mcp-servers", "demo/delete", "jobs/cancel/1"),
            )
        ),
    ],
)
def test_jobs_and_scorers_are_404(served: Portal, upstream: Stub, method: str, path: str) -> None:
    body = b"{}" if method == "POST" else None
    refused(served, upstream, method, f"{M}/{path}", 404, "ROUTE_UNKNOWN", body=body)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "gateway/x/mlflow/invocations"),
        ("POST", "gateway/mlflow/v1/chat/completions"),
        ("POST", "gateway/proxy/x/v1/y"),
        ("POST", "api/3.0/mlflow/gateway/secrets/create"),
        ("GET", "ajax-api/2.0/mlflow/gateway-proxy"),
        ("POST", "ajax-api/2.0/mlflow/gateway-proxy"),
        ("POST", "api/2.0/mlflow/webhooks"),
        ("PATCH", "api/2.0/mlflow/webhooks/1"),
        ("POST", "api/2.0/mlflow/webhooks/1/test"),
    ],
)
def test_gateway_and_webhooks_are_404(served: Portal, upstream: Stub, method: str, path: str) -> None:
    refused(served, upstream, method, f"{M}/{path}", 404, body=None if method == "GET" else b"{}")


@pytest.mark.parametrize("mount", [M, "/mlflow"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_graphql_is_404_for_keys(served: Portal, upstream: Stub, method: str, mount: str) -> None:
    body = b'{"query":"{__schema{types{name}}}"}' if method == "POST" else None
    refused(served, upstream, method, f"{mount}/graphql", 404, "ROUTE_UNKNOWN", body=body)


@pytest.mark.parametrize(
    "path",
    [
        *("api/2.0mlflow/experiments/search-datasets", "api/2.1/mlflow/runs/get", "api/4.0/mlflow/runs/get", "build/x"),
        *("docs", "openapi.json", "static-files/main.js", "signup", "metrics", "API/2.0/mlflow/runs/get", ""),
    ],
)
def test_unlisted_routes_are_404(served: Portal, upstream: Stub, path: str) -> None:
    document = refused(served, upstream, "GET", f"{M}/{path}", 404, "ROUTE_UNKNOWN")
    assert document["error_code"] == "ENDPOINT_NOT_FOUND"


def test_unlisted_routes_with_dots_are_ambiguous(served: Portal, upstream: Stub) -> None:
    refused(served, upstream, "GET", f"{M}/static-files/../x", 400, "AMBIGUOUS_PATH")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD"])
def test_unlisted_routes_other_method_of_a_listed_path_is_404(served: Portal, upstream: Stub, method: str) -> None:
    assert call(served, method, f"{API}/runs/get?run_id=a", body=b"").status == 404
    assert upstream.connections == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["runs/search", "logged-models/search", "registered-models/get-latest-versions"])
def test_route_aliases_posts_that_only_search_are_open_to_a_reader(
    served: Portal, upstream: Stub, path: str, form: str
) -> None:
    assert call(served, "POST", f"{M}/{form}/2.0/mlflow/{path}", who="reader", body=b"{}").status == 200
    assert upstream.seen[0].target == f"/mlflow/{form}/2.0/mlflow/{path}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "registered-models/alias", "model:promote"),
        ("DELETE", "registered-models/alias", "model:promote"),
        ("POST", "model-versions/transition-stage", "model:promote"),
        ("POST", "registered-models/rename", "model:write"),
        ("POST", "registered-models/create", "model:write"),
    ],
)
def test_promotion_and_names_are_not_a_reader_s(
    served: Portal, upstream: Stub, method: str, path: str, scope: str, form: str
) -> None:
    target = f"{M}/{form}/2.0/mlflow/{path}"
    document = refused(served, upstream, method, target, 403, "SCOPE_MISSING", who="reader", body=b"{}")
    assert document["required_scope"] == scope


# P0 27: a browser of somebody who is signed in.


@pytest.fixture(scope="session")
def session_cookie(home: Home) -> str:
    """A staff member's session, as a browser would send it."""
    script = (
        "from django.contrib.auth.models import User; from django.contrib.sessions.backends.db import SessionStore;"
        "from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY;"
        "u = User.objects.create_superuser('staff'); s = SessionStore();"
        "s[SESSION_KEY] = str(u.pk); s[BACKEND_SESSION_KEY] = 'django.contrib.auth.backends.ModelBackend';"
        "s[HASH_SESSION_KEY] = u.get_session_auth_hash(); s.create(); print('cookie=' + s.session_key)"
    )
    return home.manage("shell", "--no-imports", "--command", script).rpartition("cookie=")[2].strip()


def test_p0_27_session_of_the_fixture_is_a_staff_member_s(served: Portal, session_cookie: str) -> None:
    assert call(served, "GET", "/admin/", who=None, headers={"Cookie": f"sessionid={session_cookie}"}).status == 200


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "application/json", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "api/2.0/mlflow/runs/create"),
        ("POST", "graphql"),
        ("POST", "ajax-api/2.0/mlflow/upload-artifact?run_uuid=r&path=a"),
        ("DELETE", "api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/a"),
    ],
)
def test_p0_27_cross_site_call_with_a_session_alone_is_401(
    served: Portal, upstream: Stub, session_cookie: str, method: str, path: str, kind: str
) -> None:
    browser = {"Cookie": f"sessionid={session_cookie}", "Origin": "https://evil.example", "Content-Type": kind}
    refused(served, upstream, method, f"{M}/{path}", 401, who=None, headers=browser, body=b"{}")


def test_p0_27_session_alone_does_not_even_read(served: Portal, upstream: Stub, session_cookie: str) -> None:
    refused(served, upstream, "GET", SEARCH, 401, who=None, headers={"Cookie": f"sessionid={session_cookie}"})


# P0 32: requests with two readings on the wire.


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("X-A: b\r\n folded", "Content-Length: 0"),
    ],
    ids=["cl-and-te", "two-lengths", "folded-line"],
)
def test_p0_32_doubtful_framing_is_refused_alone(served: Portal, upstream: Stub, lines: tuple[str, ...]) -> None:
    smuggled = b"0\r\n\r\nGET /api/mlflow/version HTTP/1.1\r\nHost: x\r\n\r\n"
    reply = send_raw(served, head(served, f"POST {CREATE} HTTP/1.1", *lines), smuggled)
    assert (status_of(reply), reply.count(b"HTTP/1.1 "), upstream.connections) == (400, 1, 0)


@pytest.mark.parametrize("path", ["a%0d%0aX-Planted:%201", "a%0D%0A%0D%0AGET%20/x", "a\rb", "a%0a"])
def test_p0_32_line_break_in_the_path_is_refused(served: Portal, upstream: Stub, path: str) -> None:
    reply = send_raw(served, head(served, f"GET {FILES}/{path} HTTP/1.1"))
    assert (status_of(reply), upstream.connections) == (400, 0)
    assert b"X-Planted" not in reply
