"""Changes based on what was read, and requests that are sent twice."""

import pytest

from apikeys import usage
from apikeys.models import ApiKey
from tests.apikeys.api.conftest import is_good, reason, refused_fields

DRAFT = {"name": "ci", "scopes": ["mlflow:read"]}


@pytest.fixture(params=["keys", "services"])
def resource(request, reader, batch):
    """The path of something that can be changed, and a change of it."""
    return {
        "keys": (f"/keys/{reader.row.public_id}", {"note": "mine"}, {"note": "yours"}),
        "services": ("/services/batch", {"owner": "mine"}, {"owner": "yours"}),
    }[request.param]


def test_change_without_if_match_is_428(operator, resource):
    response = operator.patch(*resource[:2], etag=None)
    assert (response.status_code, reason(response)) == (428, "PRECONDITION_REQUIRED")


def test_change_of_what_somebody_has_changed_is_412_and_not_written(operator, resource):
    path, mine, yours = resource
    etag = operator.get(path)["ETag"]
    assert operator.patch(path, mine, etag=etag).status_code == 200
    response = operator.patch(path, yours, etag=etag)
    assert (response.status_code, reason(response)) == (412, "PRECONDITION_FAILED")
    assert operator.get(path).json().items() >= mine.items()


def test_change_is_answered_with_the_next_etag(operator, resource):
    path, mine, yours = resource
    etag = operator.patch(path, mine)["ETag"]
    assert operator.get(path)["ETag"] == etag
    assert operator.patch(path, yours, etag=f'"other", {etag}').status_code == 200


def test_use_of_a_key_makes_no_change_stale(operator, reader, portal):
    path = f"/keys/{reader.row.public_id}"
    etag = operator.get(path)["ETag"]
    is_good(portal, reader.secret.text)
    usage.flush()
    assert operator.get(path).json()["last_used_at"]
    assert operator.patch(path, {"note": "x"}, etag=etag).status_code == 200


def test_idempotency_key_makes_one_key_and_shows_no_secret_again(operator):
    first = operator.post("/keys", DRAFT, Idempotency_Key="run-7").json()
    count = ApiKey.objects.count()
    again = operator.post("/keys", DRAFT | {"name": "other"}, Idempotency_Key="run-7")
    assert (again.status_code, reason(again)) == (409, "ALREADY_ISSUED")
    assert again.json()["key_id"] == first["key_id"]
    assert first["secret"][20:] not in again.content.decode()
    assert ApiKey.objects.count() == count


def test_idempotency_key_is_the_caller_s_own(operator, keeper):
    replies = [who.post("/keys", DRAFT, Idempotency_Key="run-7") for who in (operator, keeper)]
    assert [reply.status_code for reply in replies] == [201, 201]


@pytest.mark.parametrize("path", ["/keys", "/services"])
@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_idempotency_key_that_is_none_is_400(operator, path, key):
    sent = DRAFT if path == "/keys" else {"service_id": "night"}
    assert refused_fields(operator.post(path, sent, Idempotency_Key=key)) == {"Idempotency-Key"}
