"""Request ids: one on every reply, in the log and upstream, never the caller's own; and the one line of a request."""

import uuid

import pytest
import structlog
from django.http import HttpResponse, StreamingHttpResponse
from django.middleware.security import SecurityMiddleware
from django.test import RequestFactory

from hokusai_portal.middleware import RequestLogMiddleware


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere", "/api/mlflow/x"])
def test_request_id_is_on_every_reply(portal, db, path):
    assert uuid.UUID(portal.get(path)["X-Request-ID"])


def test_request_id_differs_from_request_to_request(portal):
    assert portal.get("/health")["X-Request-ID"] != portal.get("/health")["X-Request-ID"]


@pytest.mark.parametrize("identifier", ["trace-4711", "x" * 300, "ä"])
@pytest.mark.parametrize("name", ["X-Request-ID", "X-Correlation-ID"])
def test_request_id_of_the_caller_is_not_believed(portal, log_output, name, identifier):
    response = portal.get("/health", headers={name: identifier})
    assert uuid.UUID(response["X-Request-ID"])
    assert identifier not in log_output.getvalue()


def test_request_id_is_the_one_in_the_log(portal, log_output):
    response = portal.get("/health")
    assert {line["request_id"] for line in log_output.lines} == {response["X-Request-ID"]}


def test_request_id_is_the_one_that_mlflow_is_told(portal, mlflow, reader, bearer):
    response = portal.get("/api/mlflow/api/2.0/mlflow/experiments/search", headers=bearer(reader))
    assert mlflow.log[0][0].headers["X-Request-ID"] == response["X-Request-ID"]


def pieces(*made):
    """Yield what is given; an exception is raised in its turn."""
    for piece in made:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def answered(response):
    """Return a view's response as the middleware hands it on to the server."""
    return RequestLogMiddleware(lambda _request: response)(RequestFactory().get("/x?y=1"))


@pytest.mark.parametrize("response", [HttpResponse(b"ab"), StreamingHttpResponse(pieces(b"a", b"b"))])
def test_line_is_written_once_the_last_byte_is_sent(db, log_output, response):
    sent = answered(response)
    assert b"".join(sent) == b"ab"
    assert not log_output.lines
    sent.close()
    (line,) = log_output.lines
    assert (line["event"], line["code"], line["request"]) == ("request_finished", 200, "GET /x?y=1")
    assert line["request_id"] == sent["X-Request-ID"]


@pytest.mark.parametrize(("status", "level"), [(200, "info"), (302, "info"), (404, "info"), (502, "error")])
def test_line_of_a_fault_is_an_error(db, log_output, status, level):
    answered(HttpResponse(status=status)).close()
    assert [line["level"] for line in log_output.lines] == [level]


def test_line_of_a_probe_that_says_no_is_no_error(db, log_output):
    RequestLogMiddleware(lambda _request: HttpResponse(status=503))(RequestFactory().get("/ready")).close()
    assert [line["level"] for line in log_output.lines] == ["info"]


def test_stream_that_breaks_off_is_told_with_its_trace_and_its_request(db, log_output):
    sent = answered(StreamingHttpResponse(pieces(b"a", RuntimeError("cut"))))
    with pytest.raises(RuntimeError):
        list(sent)
    sent.close()
    broken, finished = log_output.lines
    assert (broken["event"], finished["event"]) == ("streaming_failed", "request_finished")
    assert "RuntimeError: cut" in broken["exception"]
    assert broken["request_id"] == finished["request_id"] == sent["X-Request-ID"]


def test_line_of_a_request_knows_nothing_of_one_whose_reply_was_never_closed(db, log_output):
    structlog.contextvars.bind_contextvars(api_key="of another")
    answered(HttpResponse()).close()
    assert "api_key" not in log_output.lines[0]


def test_failure_of_a_page_is_one_line_with_its_trace(portal, monkeypatch, log_output):
    def fail(*args):
        raise RuntimeError("inner words")

    monkeypatch.setattr(SecurityMiddleware, "process_request", fail)
    portal.raise_request_exception = False
    assert portal.get("/health").status_code == 500
    (line,) = log_output.lines
    assert (line["event"], line["code"], line["request"]) == ("request_failed", 500, "GET /health")
    assert "inner words" in line["exception"]


def test_trace_of_the_caller_is_on_every_line_of_its_request_and_on_no_other(portal, log_output):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    portal.get("/health", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    traced = [line.get("trace_id") for line in log_output.lines if line["event"] == "request_finished"]
    portal.get("/health")
    both = [line.get("trace_id") for line in log_output.lines if line["event"] == "request_finished"]
    assert (traced, both) == ([trace], [trace, None])
