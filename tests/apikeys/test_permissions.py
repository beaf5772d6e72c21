"""Permissions: a missing scope and a foreign service are 403s that name what was held and what was asked."""

from types import SimpleNamespace

import pytest
from rest_framework.views import APIView

from apikeys.permissions import (
    DenyAll,
    HoldsRequiredScope,
    IsExpectedService,
    ScopeMissingError,
    ServiceMismatchError,
)


def asking(issued):
    return SimpleNamespace(user=issued.row.service, auth=issued.row)


def view(**asks):
    return SimpleNamespace(operation="POST 2.0/mlflow/runs/create", **asks)


def test_holds_required_scope_writer_may_write(writer):
    assert HoldsRequiredScope().has_permission(asking(writer), view(required_scope="mlflow:write"))


def test_holds_required_scope_writer_may_read_by_implication(writer):
    assert HoldsRequiredScope().has_permission(asking(writer), view(required_scope="mlflow:read"))


def test_holds_required_scope_reader_may_not_write(reader):
    with pytest.raises(ScopeMissingError) as caught:
        HoldsRequiredScope().has_permission(asking(reader), view(required_scope="mlflow:write"))
    assert caught.value.facts == {
        "operation": "POST 2.0/mlflow/runs/create",
        "required_scope": "mlflow:write",
        "current_scopes": ["artifact:read", "mlflow:read", "model:read"],
        "api_key": reader.row.public_id,
    }


def test_holds_required_scope_writer_may_not_delete(writer):
    with pytest.raises(ScopeMissingError, match="needs the scope mlflow:delete"):
        HoldsRequiredScope().has_permission(asking(writer), view(required_scope="mlflow:delete"))


def test_holds_required_scope_none_asks_for_a_key_alone(reader):
    assert HoldsRequiredScope().has_permission(asking(reader), view(required_scope=None))


def test_is_expected_service_own_service_passes(reader):
    assert IsExpectedService().has_permission(asking(reader), view(expected_service="platform"))


def test_is_expected_service_stranger_is_told_both_services(stranger):
    with pytest.raises(ServiceMismatchError, match="belongs to service batch; service platform is expected") as caught:
        IsExpectedService().has_permission(asking(stranger), view(expected_service="platform"))
    assert caught.value.status_code == 403
    assert caught.value.facts == {"expected_service": "platform", "actual_service": "batch"}


def test_is_expected_service_none_lets_every_service_pass(stranger):
    assert IsExpectedService().has_permission(asking(stranger), view(expected_service=None))


def test_deny_all_is_the_default_of_a_view_that_forgets():
    assert APIView.permission_classes == [DenyAll]
    assert not DenyAll().has_permission(None, None)
