"""Who calls the REST API beside keys: staff with a session of the admin, and only with a CSRF token where it writes."""

from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apikeys.sessions import UI_HOST_MARK
from apikeys.throttling import ConcurrencyThrottle, KeyRateThrottle

if TYPE_CHECKING:
    from django.http import HttpRequest


class CsrfFailedError(PermissionDenied):
    """403: a page of somebody else may have sent this with the session of staff."""

    reason = "CSRF_FAILED"
    default_detail = "Send the CSRF token of the session in X-CSRFToken."


class StaffSession(BaseAuthentication):
    """Staff signed in to the admin. A key in the headers goes first: a bad one is refused whatever the session."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        received: HttpRequest = request._request  # noqa: SLF001  # DRF's own user property would call this again
        if "Authorization" in request.headers or "X-Api-Key" in request.headers or not received.user.is_staff:
            return None
        if UI_HOST_MARK in received.session:
            # Script in a page of MLflow's could issue itself a key with it, and read the token that guards that.
            return None
        check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]  # it asks for no response
        check.process_request(received)
        if check.process_view(received, None, (), {}):  # type: ignore[arg-type]
            raise CsrfFailedError()
        return received.user, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class PermissionMissingError(PermissionDenied):
    """403: the account's groups do not open this."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"Your account does not hold the permission {permission}.")


class IsPermittedStaff(BasePermission):
    """Allows staff with ``view.required_permission``, None asking for nothing more; leaves keys to others."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.auth is not None:
            return False
        permission: str | None = view.required_permission
        if permission is not None and not request.user.has_perm(permission):
            raise PermissionMissingError(permission)
        return True


class CallerRateThrottle(KeyRateThrottle):
    """Counts the calls of keys, together with those to MLflow; a person in a browser is not paced."""

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.auth is None or super().allow_request(request, view)


class CallerConcurrencyThrottle(ConcurrencyThrottle):
    """Counts the open calls of keys alone."""

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.auth is None or super().allow_request(request, view)
