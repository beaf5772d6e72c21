"""The error tree: words that MLflow's client knows, and reasons that name one fault each."""

import json
import subprocess

import pytest

from mlflow_proxy import conf, exceptions, replies
from mlflow_proxy.exceptions import ProxyError, UpstreamError

FAULTS = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type) and issubclass(value, ProxyError) and value is not UpstreamError
]
PERMANENT = {"ArtifactsDisabledError", "LoopDetectedError"}


@pytest.fixture(scope="module")
def codes_of_mlflow() -> set[str]:
    program = "import json; from mlflow.protos.databricks_pb2 import ErrorCode; print(json.dumps(ErrorCode.keys()))"
    output = subprocess.run([conf.mlflow_python(), "-c", program], check=True, capture_output=True, text=True).stdout
    return set(json.loads(output))


@pytest.mark.parametrize("fault", FAULTS)
def test_error_code_is_a_word_of_mlflow(fault: type[ProxyError], codes_of_mlflow: set[str]) -> None:
    assert fault.error_code in codes_of_mlflow


@pytest.mark.parametrize("code", sorted({*replies.CODES_BY_STATUS.values(), "RESOURCE_DOES_NOT_EXIST"}))
def test_error_code_by_status_is_a_word_of_mlflow(code: str, codes_of_mlflow: set[str]) -> None:
    assert code in codes_of_mlflow


def test_reasons_are_pairwise_different() -> None:
    reasons = [fault.reason for fault in FAULTS]
    assert len(reasons) == len(set(reasons))


@pytest.mark.parametrize("fault", FAULTS)
def test_reason_is_an_upper_case_word(fault: type[ProxyError]) -> None:
    assert fault.reason.replace("_", "").isalpha()
    assert fault.reason.isupper()


@pytest.mark.parametrize("fault", FAULTS)
def test_retry_after_stands_where_a_repeat_can_help_alone(fault: type[ProxyError]) -> None:
    expected = fault.status == 503 and fault.__name__ not in PERMANENT
    assert (fault.retry_after is not None) is expected


@pytest.mark.parametrize("fault", FAULTS)
def test_tree_in_the_docstring_shows_the_fault(fault: type[ProxyError]) -> None:
    assert fault.__name__ in (exceptions.__doc__ or "")


def test_fault_raised_without_a_sentence_carries_its_own() -> None:
    assert str(exceptions.UpstreamRefusedError()) == exceptions.UpstreamRefusedError.sentence


def test_fault_raised_with_a_reason_keeps_the_class_as_it_was() -> None:
    assert ProxyError(reason="OTHER").reason == "OTHER"
    assert ProxyError.reason == "INTERNAL"
