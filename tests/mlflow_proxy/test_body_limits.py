"""Bodies that are too large, compressed, or refused before they came; names carry the case."""

import gzip
import zlib

import pytest
import requests

from apikeys import keys
from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.refusals import refused
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.wire import CREATE, FILES, M, bearer, call, head, send_raw, status_of

# What the conftest's portal is told: HOKUSAI_MAX_JSON_BYTES.
LIMIT = 100_000
TRACES = f"{M}/v1/traces"
FILE = f"{FILES}/0/run/artifacts/a"
BIG = 32 * 1024 * 1024


@pytest.mark.parametrize("target", [CREATE, TRACES, f"{M}/ajax-api/2.0/mlflow/upload-artifact?run_uuid=r&path=a"])
def test_oversize_upload_of_metadata_is_413_without_retry_after(served: Portal, upstream: Stub, target: str) -> None:
    body = b'{"a":"' + b"x" * LIMIT + b'"}'
    reply = call(served, "POST", target, body=body)
    assert (reply.status, reply.json["reason"], reply.json["error_code"]) == (413, "BODY_TOO_LARGE", "BAD_REQUEST")
    assert "retry-after" not in reply.headers
    assert upstream.connections == 0


def test_oversize_upload_in_chunks_is_413(served: Portal, upstream: Stub) -> None:
    request = head(served, f"POST {CREATE} HTTP/1.1", "Transfer-Encoding: chunked")
    reply = send_raw(served, request, b"%x\r\n%b\r\n0\r\n\r\n" % (LIMIT + 1, b" " * (LIMIT + 1)))
    assert (status_of(reply), upstream.connections) == (413, 0)


def test_oversize_upload_announced_is_413_before_it_comes(served: Portal, upstream: Stub) -> None:
    reply = send_raw(served, head(served, f"POST {CREATE} HTTP/1.1", "Content-Length: 99999999999"))
    assert (status_of(reply), upstream.connections) == (413, 0)


def test_body_of_just_the_limit_passes(served: Portal, upstream: Stub) -> None:
    body = b'{"a":"' + b"x" * (LIMIT - 8) + b'"}'
    assert (len(body), call(served, "POST", CREATE, body=body).status) == (LIMIT, 200)


def test_artifact_has_no_such_limit(served: Portal, upstream: Stub) -> None:
    assert call(served, "PUT", FILE, body=b"x" * (LIMIT + 1)).status == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "gzip, gzip"])
@pytest.mark.parametrize("method", ["POST"])
def test_compression_of_metadata_is_415(served: Portal, upstream: Stub, method: str, coding: str) -> None:
    body = gzip.compress(b"{}")
    refused(served, upstream, method, CREATE, 415, "CODING_REFUSED", headers={"Content-Encoding": coding}, body=body)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip,deflate"])
def test_compression_of_traces_in_an_unknown_coding_is_415(served: Portal, upstream: Stub, coding: str) -> None:
    refused(served, upstream, "POST", TRACES, 415, "CODING_REFUSED", headers={"Content-Encoding": coding}, body=b"x")


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compression_bomb_of_traces_is_413(served: Portal, upstream: Stub, coding: str, pack: object) -> None:
    bomb = pack(b"\0" * (LIMIT + 1))  # type: ignore[operator]
    assert len(bomb) < 1000
    refused(served, upstream, "POST", TRACES, 413, "BODY_TOO_LARGE", headers={"Content-Encoding": coding}, body=bomb)


@pytest.mark.parametrize("more", [b"x", gzip.compress(b"more")])
def test_compression_with_a_second_member_is_400(served: Portal, upstream: Stub, more: bytes) -> None:
    body = gzip.compress(b"spans") + more
    refused(served, upstream, "POST", TRACES, 400, "BODY_REFUSED", headers={"Content-Encoding": "gzip"}, body=body)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compression_of_traces_within_the_limit_goes_up_as_it_came(
    served: Portal, upstream: Stub, coding: str, pack: object
) -> None:
    body = pack(b"spans" * 100)  # type: ignore[operator]
    assert call(served, "POST", TRACES, headers={"Content-Encoding": coding}, body=body).status == 200
    assert (upstream.seen[0].body, upstream.seen[0].header("Content-Encoding")) == (body, coding)


def test_compression_of_traces_in_chunks_is_measured_too(served: Portal, upstream: Stub) -> None:
    bomb = gzip.compress(b"\0" * (LIMIT + 1))
    request = head(served, f"POST {TRACES} HTTP/1.1", "Transfer-Encoding: chunked", "Content-Encoding: gzip")
    reply = send_raw(served, request, b"%x\r\n%b\r\n0\r\n\r\n" % (len(bomb), bomb))
    assert (status_of(reply), upstream.connections) == (413, 0)


def test_compression_of_an_artifact_is_none_of_the_portal_s_business(served: Portal, upstream: Stub) -> None:
    bomb = gzip.compress(b"\0" * 10 * LIMIT)
    assert call(served, "PUT", FILE, headers={"Content-Encoding": "gzip"}, body=bomb).status == 200
    assert upstream.seen[0].body == bomb


# A refusal that comes while the body is still on its way.


@pytest.fixture
def refused_key() -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.mint('live').text}"}


@pytest.mark.parametrize("as_file", [True, False], ids=["length", "chunked"])
def test_early_401_is_readable_by_a_client_that_sends_a_big_body(
    served: Portal, upstream: Stub, refused_key: dict[str, str], as_file: bool
) -> None:
    piece = b"x" * (1024 * 1024)
    body = piece * (BIG // len(piece)) if as_file else (piece for _ in range(BIG // len(piece)))
    with requests.Session() as session:
        session.trust_env = False
        reply = session.put(f"http://{served.netloc}{FILE}", data=body, headers=refused_key, timeout=60)
    assert (reply.status_code, reply.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert upstream.connections == 0


def test_early_403_is_readable_by_a_client_that_sends_a_big_body(served: Portal, upstream: Stub) -> None:
    with requests.Session() as session:
        session.trust_env = False
        reply = session.put(
            f"http://{served.netloc}{FILE}", data=b"x" * BIG, headers=bearer(served, "reader"), timeout=60
        )
    assert (reply.status_code, reply.json()["reason"]) == (403, "SCOPE_MISSING")
    assert upstream.connections == 0


def test_early_413_is_readable_by_a_client_that_sends_a_big_body(served: Portal, upstream: Stub) -> None:
    with requests.Session() as session:
        session.trust_env = False
        reply = session.post(
            f"http://{served.netloc}{CREATE}", data=b"x" * BIG, headers=bearer(served, "operator"), timeout=60
        )
    assert (reply.status_code, "Retry-After" in reply.headers) == (413, False)
