"""The first two desks for staff: a session becomes an account with scopes, or a refusal that says what to do."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apikeys import rules, scopes
from apikeys.models import Service
from mlflow_proxy import conf
from mlflow_proxy.exceptions import AmbiguousTargetError, ForbiddenError, UnauthenticatedError
from mlflow_proxy.ui import origins, rights

if TYPE_CHECKING:
    from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class StaffPass:
    """Stands where a key stands, with the account's scopes: of no service, and so without signed addresses."""

    scopes: tuple[str, ...]
    # What usage and audit trail know keys by: an account is none.
    public_id: str = ""
    service: Service = field(default_factory=Service)


class SessionAuthentication(BaseAuthentication):
    """The account of the session, for a request that comes from the interface itself."""

    def authenticate(self, request: Request) -> tuple[User, StaffPass]:
        received: HttpRequest = request._request  # noqa: SLF001  (DRF's own user property would call this again)
        user = received.user
        if isinstance(user, AnonymousUser):
            raise UnauthenticatedError(
                "You are not signed in, or not any more. Sign in again.", reason="SESSION_MISSING"
            )
        structlog.contextvars.bind_contextvars(staff=user.get_username())
        origins.refuse_foreign(received)
        return user, StaffPass(rights.scopes_of(user))

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HoldsPermission(BasePermission):
    """Allows ``view.operation`` when the account's permissions give ``view.required_scope``."""

    def has_permission(self, request: Request, view: Any) -> bool:
        refuse_missing(request.auth.scopes, view.required_scope)  # type: ignore[union-attr]
        return True


def refuse_missing(held: tuple[str, ...], required: str | None) -> None:
    """Raise ForbiddenError unless the scopes hold the required one; None asks for the right to view at all."""
    if not held:
        raise ForbiddenError(
            "Your account may not look at MLflow. Ask an administrator of the portal for the permission to view it.",
            reason="UI_PERMISSION_MISSING",
        )
    if required is not None and not scopes.grants(held, required):
        raise ForbiddenError(
            f"Your account may not do this here ({required}). Ask an administrator of the portal.",
            reason="UI_PERMISSION_MISSING",
        )


def refuse_ended(user: User, required: str | None) -> None:
    """Raise ForbiddenError where an account that had the right when its call began has it no more."""
    now = User.objects.filter(pk=user.pk, is_active=True).first() or AnonymousUser()
    refuse_missing(rights.scopes_of(now), required)


def chosen_workspace(asked: str | None) -> str | None:
    """Return the workspace that a person has chosen in the interface; accounts are not pinned to any."""
    if asked is None or not conf.has_workspaces():
        return None
    if re.fullmatch(rules.WORKSPACE_PATTERN, asked) is None:
        raise AmbiguousTargetError("That is no name of a workspace.", reason="AMBIGUOUS_HEADER")
    return asked
