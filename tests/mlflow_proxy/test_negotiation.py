"""Negotiation: whatever the caller accepts is for MLflow to judge."""

import pytest

from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.wire import FILES, SEARCH, call


@pytest.mark.parametrize("accept", ["image/png", "text/html", "*/*", "nonsense", "application/json; version=9", ""])
def test_any_accept_header_is_proxied(served: Portal, upstream: Stub, accept: str) -> None:
    reply = call(served, "GET", SEARCH, headers={"Accept": accept})
    assert reply.status == 200
    assert upstream.seen[0].header("Accept") == accept


@pytest.mark.parametrize("target", [f"{SEARCH}&format=csv", f"{FILES}?path=a&format=api"])
def test_format_in_the_query_is_proxied(served: Portal, upstream: Stub, target: str) -> None:
    assert call(served, "GET", target).status == 200
    assert "format=" in upstream.seen[0].target


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
def test_error_is_json_whatever_the_caller_accepts(served: Portal, accept: str) -> None:
    reply = call(served, "GET", "/api/mlflow/nowhere", headers={"Accept": accept})
    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize("content_type", ["application/x-unheard-of", "text/plain", "application/json; charset=utf-16"])
def test_any_content_type_is_proxied(served: Portal, upstream: Stub, content_type: str) -> None:
    reply = call(
        served, "POST", "/api/mlflow/api/2.0/mlflow/runs/search", headers={"Content-Type": content_type}, body=b"{}"
    )
    assert reply.status == 200
    assert upstream.seen[0].header("Content-Type") == content_type
