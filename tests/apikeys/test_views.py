"""Counted views: one finished call for each request, told when the response is closed, whatever became of it."""

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from apikeys import calls
from apikeys.authentication import ApiKeyAuthentication
from apikeys.permissions import HoldsRequiredScope
from apikeys.views import CountedView

PIECES = [b"12345", b"678"]


class Echo(CountedView):
    """Answers with whatever the test puts into ``answer``."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HoldsRequiredScope,)
    required_scope, operation = None, "GET x"
    traffic = "kind"
    answer = staticmethod(lambda: Response({}))

    def get(self, request):
        return self.answer()


@pytest.fixture
def told(monkeypatch):
    told = []
    monkeypatch.setattr(calls, "receivers", [told.append])
    return told


@pytest.fixture
def ask(reader, bearer):
    """Send a request with the reader's key, or the headers given, and return the response as a server gets it."""

    def ask(answer=Echo.answer, method="GET", headers=None, **initkwargs):
        made = APIRequestFactory().generic(method, "/", headers=bearer(reader) if headers is None else headers)
        response = Echo.as_view(answer=staticmethod(answer), **initkwargs)(made)
        if hasattr(response, "render"):
            response.render()
        return response

    return ask


def test_call_is_told_when_the_response_is_closed_and_not_before(ask, told):
    response = ask()
    assert not told
    response.close()
    assert len(told) == 1


def test_call_tells_whose_it_was_and_how_it_ended(ask, told, reader):
    ask(lambda: HttpResponse(b"four", status=201)).close()
    (call,) = told
    assert (call.service, call.key, call.traffic) == ("platform", reader.row.public_id, "kind")
    assert (call.method, call.status, call.reason, call.bytes_out) == ("GET", 201, "", 4)
    assert call.seconds > 0


def test_call_tells_the_agent(ask, told, reader, bearer):
    ask(headers=bearer(reader) | {"User-Agent": "curl/8"}).close()
    assert told[0].agent == "curl/8"


def test_call_without_a_key_is_nobodys_and_has_the_precise_reason(ask, told):
    ask(headers={"Authorization": "Bearer nonsense"}).close()
    (call,) = told
    assert (call.service, call.key, call.status, call.reason) == ("", "", 401, "KEY_MALFORMED")


def test_call_refused_for_its_scope_is_its_keys(ask, told, reader):
    ask(required_scope="key:write").close()
    (call,) = told
    assert (call.key, call.status, call.reason) == (reader.row.public_id, 403, "SCOPE_MISSING")


def test_streamed_bytes_are_counted(ask, told):
    response = ask(lambda: StreamingHttpResponse(iter(PIECES)))
    assert list(response) == PIECES
    response.close()
    assert told[0].bytes_out == 8


def test_stream_that_the_caller_leaves_counts_what_was_sent(ask, told):
    response = ask(lambda: StreamingHttpResponse(iter(PIECES)))
    pieces = iter(response)
    next(pieces), next(pieces)
    response.close()
    assert (told[0].bytes_out, told[0].reason) == (5, "")


@pytest.mark.parametrize(("facts", "reason"), [({"reason": "TRANSFER_BROKEN"}, "TRANSFER_BROKEN"), ({}, "INTERNAL")])
def test_stream_that_breaks_off_has_the_reason(ask, told, facts, reason):
    error = RuntimeError()
    vars(error).update(facts)

    def pieces():
        yield b"123"
        raise error

    response = ask(lambda: StreamingHttpResponse(pieces()))
    with pytest.raises(RuntimeError):
        list(response)
    response.close()
    assert (told[0].status, told[0].bytes_out, told[0].reason) == (200, 3, reason)


def test_head_has_no_body_to_count(ask, told):
    ask(lambda: HttpResponse(b"four"), method="HEAD").close()
    assert told[0].bytes_out == 0


def test_call_refused_before_identity_asks_for_none(ask, told, monkeypatch, django_assert_num_queries):
    def refuse(view, request, *args, **kwargs):
        raise ParseError

    monkeypatch.setattr(Echo, "initial", refuse)
    with django_assert_num_queries(0):
        ask().close()
    assert (told[0].key, told[0].reason) == ("", "PARSE_ERROR")


def test_what_ends_with_the_response_is_run_before_the_call_is_told(ask, told):
    seen = []

    class Ending(Echo):
        def get(self, request):
            self.on_close.append(lambda: seen.append(list(told)))
            return Response({})

    made = APIRequestFactory().get("/", headers={"Authorization": "Bearer x"})
    view = Ending.as_view(authentication_classes=(), permission_classes=())
    view(made).render().close()
    assert seen == [[]]
    assert len(told) == 1
