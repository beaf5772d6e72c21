"""A request's fields, read one by one, are those that Django reads all at once."""

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from apikeys.fields import Fields

SENT = {"user-agent": "mlflow/3", "X-Api-Key": "k", "Content-Type": "text/plain", "If-None-Match": "*"}
NAMES = st.sampled_from([*SENT, "Content-Length", "Host", "Server-Name", "Http-Accept"]) | st.text(
    st.characters(max_codepoint=127), max_size=12
)


@pytest.fixture(scope="module")
def request_and_fields():
    request = RequestFactory().get("/", headers=SENT)
    return request, Fields(request.META)


@given(name=NAMES, spell=st.sampled_from([str.lower, str.upper, str.title]))
def test_field_is_what_django_says(request_and_fields, name, spell):
    request, fields = request_and_fields
    name = spell(name)
    assert (name in fields) == (name in request.headers)
    assert fields.get(name, "none") == request.headers.get(name, "none")


def test_field_that_was_not_sent_is_a_key_error(request_and_fields):
    with pytest.raises(KeyError):
        request_and_fields[1]["Authorization"]


def test_fields_are_all_of_the_request_s(request_and_fields):
    request, fields = request_and_fields
    assert dict(fields) == dict(request.headers)
    assert len(fields) == len(request.headers)
