"""Says whether a key would be let through with a call, and why; sends nothing, counts nothing, decides nothing itself.

The proxy's own view is walked up to its last desk, with a key that is given instead of proven: what is told here and
what happens to a real call cannot differ.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from django.http import HttpRequest
from django.urls import Resolver404, resolve
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from apikeys import scopes
from apikeys.authentication import fault_of
from apikeys.permissions import IsFromAllowedAddress
from mlflow_proxy import refusals
from mlflow_proxy.exceptions import ProxyError, RouteUnknownError
from mlflow_proxy.views import MlflowProxyView

if TYPE_CHECKING:
    from apikeys.models import ApiKey


class NotProxiedError(ValueError):
    """The path is a page of the portal itself, which no route of MLflow decides about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would happen to a call. ``status`` and ``reason`` are those of the refusal, None and empty without one.

    ``granted_by`` are the scopes of the key that open the route; ``required_scope`` is None where any key will do, and
    ``operation`` is empty where no route was found. ``not_judged`` says what could still end the call.
    """

    is_allowed: bool
    status: int | None
    reason: str
    detail: str
    operation: str
    resource: str
    required_scope: str | None
    held_scopes: tuple[str, ...]
    granted_by: tuple[str, ...]
    workspace: str | None
    not_judged: tuple[str, ...]


def explain(key: "ApiKey", method: str, path: str, *, address: str | None = None) -> Explanation:
    """Explain a call with ``key``, a row of ``ApiKey.objects.with_validity()``.

    ``path`` is a request target as a client sends it: mount, path and query. Without an ``address`` the key's networks
    are not judged. Raises NotProxiedError.
    """
    view = _Rehearsal(key, address)
    if reason := fault_of(key):
        # A real caller learns no more than UNAUTHENTICATED: why is for those who may see the key.
        return _told(view, status=401, reason=reason, detail="The key may not be used now.")
    try:
        view.walk(method.upper(), path)
    except (ProxyError, APIException) as error:
        fault = refusals.as_proxy_error(error)
        return _told(view, status=fault.status, reason=fault.reason, detail=str(fault))
    return _told(view, status=None, reason="", detail=_praise(view))


class _Rehearsal(MlflowProxyView):
    """The view for a key that is known instead of proven; takes nothing from the key's hour."""

    def __init__(self, key: "ApiKey", address: str | None) -> None:
        super().__init__()
        self.key, self.address = key, address

    @property
    def not_judged(self) -> tuple[str, ...]:
        networks = ("address",) if self.key.allowed_ips and self.address is None else ()
        return (*networks, "rate", "body")

    def walk(self, method: str, path: str) -> None:
        """Take the call past every desk before the journey; raises what a real call would raise."""
        self.initial(self._request(method, path), mount=_mount_of(path))
        self.refuse_switched_off()

    def get_permissions(self) -> Any:
        unjudged = (IsFromAllowedAddress,) if "address" in self.not_judged else ()
        return [permission() for permission in self.permission_classes if permission not in unjudged]

    def get_throttles(self) -> list[Any]:
        return []

    def _request(self, method: str, path: str) -> Request:
        received = HttpRequest()
        received.method = method
        # As a WSGI server hands it on: bytes, each read as a character.
        raw = path.encode().decode("latin-1")
        received.META |= {"RAW_URI": raw, "HTTP_HOST": "explained", "REMOTE_ADDR": self.address or ""}
        request = Request(received)
        request.user, request.auth = self.key.service, self.key  # type: ignore[assignment]
        self.request = request
        return request


def _mount_of(path: str) -> str:
    """Return where the proxy is mounted above ``path``, by the table of addresses that serves real calls."""
    try:
        match = resolve(unquote(path.partition("?")[0]))
    except Resolver404:
        raise RouteUnknownError("No such page. MLFLOW_TRACKING_URI should end in /api/mlflow.") from None
    if "mount" not in match.kwargs:
        raise NotProxiedError("This is a page of the portal itself. Only calls to MLflow are explained: /api/mlflow/…")
    return str(match.kwargs["mount"])


def _told(view: _Rehearsal, *, status: int | None, reason: str, detail: str) -> Explanation:
    route, required = getattr(view, "route", None), view.required_scope
    opening = [word for word in view.key.scopes if required in scopes.implied_by(word)]
    return Explanation(
        is_allowed=status is None,
        status=status,
        reason=reason,
        detail=detail,
        operation=view.operation,
        resource=route.resource if route else "",
        required_scope=required,
        held_scopes=tuple(view.key.scopes),
        granted_by=tuple(opening),
        workspace=view.workspace,
        not_judged=view.not_judged,
    )


def _praise(view: _Rehearsal) -> str:
    if view.required_scope is None:
        return f"{view.operation} asks for no scope, and the key is valid."
    return f"{view.operation} needs the scope {view.required_scope}, which the key holds."
