"""docs/errors.md and docs/health.md have one heading for each reason, the former with status and MLflow's word."""

import re

import pytest
from rest_framework.exceptions import MethodNotAllowed, NotAcceptable, ParseError, UnsupportedMediaType

from apikeys.api.meanings import MEANINGS
from mlflow_proxy import exceptions
from tests.docs import sources
from tests.docs.documents import sections

# DRF raises these in views of the REST API; apikeys.api.problems shouts their codes.
FROM_DRF = {error.default_code.upper() for error in (ParseError, MethodNotAllowed, NotAcceptable, UnsupportedMediaType)}
OF_PROBES = {heading: body for heading, body in sections("docs/health.md").items() if sources.WORD.fullmatch(heading)}
SECTIONS = {heading: body for heading, body in sections("docs/errors.md").items() if sources.WORD.fullmatch(heading)}


def tree(error: type[exceptions.ProxyError]) -> list[type[exceptions.ProxyError]]:
    return [error, *(below for child in error.__subclasses__() for below in tree(child))]


def test_reason_of_the_code_has_a_heading():
    assert sources.reasons() - SECTIONS.keys() - OF_PROBES.keys() == set()


def test_heading_is_a_reason_of_the_code():
    assert (SECTIONS.keys() | OF_PROBES.keys()) - sources.reasons() - FROM_DRF == set()


def test_reason_stands_in_one_document():
    assert SECTIONS.keys() & OF_PROBES.keys() == set()


def test_error_of_the_rest_framework_has_a_heading():
    assert FROM_DRF - SECTIONS.keys() == set()


@pytest.mark.parametrize("error", tree(exceptions.ProxyError))
def test_heading_tells_status_and_error_code(error):
    if error is not exceptions.UpstreamError:
        assert SECTIONS[error.reason].strip().startswith(f"**{error.status}** `{error.error_code}`")


@pytest.mark.parametrize("reason", MEANINGS)
def test_heading_tells_status_of_the_rest_api(reason):
    assert SECTIONS[reason].strip().startswith(f"**{MEANINGS[reason].status}**")


@pytest.mark.parametrize("error", [error for error in tree(exceptions.ProxyError) if error.retry_after])
def test_heading_tells_retry_after(error):
    assert f"`Retry-After: {error.retry_after}`" in SECTIONS[error.reason]


def test_every_section_says_something():
    both = SECTIONS | OF_PROBES
    assert [heading for heading, body in both.items() if not re.search(r"\w{3}", body)] == []
