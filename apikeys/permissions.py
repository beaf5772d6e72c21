"""DRF's permissions over services and scopes; knows which scope a view asks for, never why."""

from typing import TYPE_CHECKING, Any, cast

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apikeys import addresses, scopes
from apikeys.authentication import client_address

if TYPE_CHECKING:
    from apikeys.models import ApiKey, Service


class ScopeMissingError(PermissionDenied):
    """403: the key does not hold the scope that the operation requires."""

    reason = "SCOPE_MISSING"

    def __init__(self, operation: str, required: str, held: list[str], public_id: str) -> None:
        super().__init__(f"{operation} needs the scope {required}. Key {public_id} holds: {', '.join(held)}.")
        self.facts = {
            "operation": operation,
            "required_scope": required,
            "current_scopes": held,
            "api_key": public_id,
        }


class ServiceMismatchError(PermissionDenied):
    """403: the key is good, but belongs to another service than this surface is for."""

    reason = "SERVICE_MISMATCH"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"This key belongs to service {actual}; service {expected} is expected here.")
        self.facts = {"expected_service": expected, "actual_service": actual}


class AddressRefusedError(PermissionDenied):
    """403: the key may not be used from this address."""

    reason = "ADDRESS_REFUSED"

    def __init__(self, address: str | None, public_id: str) -> None:
        super().__init__(f"Key {public_id} may not be used from {address or 'an unknown address'}.")
        self.facts = {"address": address, "api_key": public_id}


class IsFromAllowedAddress(BasePermission):
    """Allows when the key names no networks, or one that holds the caller's address."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key, address = cast("ApiKey", request.auth), client_address(request)
        if key.allowed_ips and not addresses.is_in(address, key.allowed_ips):
            raise AddressRefusedError(address, key.public_id)
        return True


class HoldsRequiredScope(BasePermission):
    """Allows ``view.operation`` when the key holds ``view.required_scope``; None asks for nothing but a valid key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        required: str | None = view.required_scope
        key = cast("ApiKey", request.auth)
        if required is not None and not scopes.grants(key.scopes, required):
            raise ScopeMissingError(view.operation, required, key.scopes, key.public_id)
        return True


class IsExpectedService(BasePermission):
    """Allows when the principal is ``view.expected_service``; None lets every service pass."""

    def has_permission(self, request: Request, view: Any) -> bool:
        expected: str | None = view.expected_service
        actual = cast("Service", request.user).service_id
        if expected is not None and actual != expected:
            raise ServiceMismatchError(expected, actual)
        return True


class DenyAll(BasePermission):
    """The default of every view: a view that forgets its permissions is closed, not open."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False
