"""The proxy view: knows the order of the five desks and holds no rule of its own."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django.db import close_old_connections
from django.http import HttpRequest, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apikeys import pacing, throttling
from apikeys.actions import Actor
from apikeys.authentication import EarlyClaimAuthentication, client_address, refuse_ended
from apikeys.fields import Fields
from apikeys.permissions import HoldsRequiredScope, IsFromAllowedAddress
from apikeys.throttling import ConcurrencyThrottle, KeyRateThrottle
from apikeys.views import CountedView
from mlflow_proxy import conf, headers, intake, parameters, refusals, replies, routes, targets, upstream, workspaces
from mlflow_proxy.artifacts import handouts, protocol
from mlflow_proxy.artifacts.calls import Call
from mlflow_proxy.bodies import RequestBody
from mlflow_proxy.exceptions import (
    AmbiguousTargetError,
    ArtifactsDisabledError,
    LoopDetectedError,
    ProxyError,
    RouteUnknownError,
)
from mlflow_proxy.negotiation import PassThroughNegotiation

if TYPE_CHECKING:
    from apikeys.models import ApiKey, Service

LONG_UPLOAD_SECONDS = 1.0


class MlflowProxyView(CountedView):
    """Hand a permitted call to MLflow and its answer back, streaming both ways."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = (EarlyClaimAuthentication,)
    permission_classes: tuple[type[BasePermission], ...] = (IsFromAllowedAddress, HoldsRequiredScope)
    throttle_classes: tuple[type[BaseThrottle], ...] = (KeyRateThrottle, ConcurrencyThrottle)
    content_negotiation_class = PassThroughNegotiation
    renderer_classes = (JSONRenderer,)
    parser_classes = ()
    http_method_names = ("get", "head", "post", "put", "patch", "delete")

    # Until its route is known, a call is of no kind.
    traffic = "none"
    target: targets.RequestTarget
    route: routes.Route
    required_scope: str | None = None
    operation = ""
    workspace: str | None = None
    body: RequestBody | None = None
    pace: pacing.Verdict | None = None

    def initial(self, request: Request, *args: Any, mount: str = "", **kwargs: Any) -> None:
        """Desks 1 to 4. Identity comes first: without a key every path is the same 401."""
        received = Fields(request.META)
        if headers.HOP_HEADER in received:
            raise LoopDetectedError()
        if "Host" not in received:
            # Django would take the server's own name, and so let a request without a host pass for one of ours.
            raise AmbiguousTargetError("The request has no Host (RFC 9112 §3.2).", reason="HOST_MISSING")
        self.perform_authentication(request)
        if (request.method or "").lower() not in self.http_method_names:
            raise MethodNotAllowed(request.method or "")
        self.target = targets.parse(raw_target(request), mount)
        self.route = self.find_route(request.method or "", self.target.segments)
        self.traffic, self.required_scope, self.operation = self.route.traffic, self.route.scope, self.route.operation
        self.check_permissions(request)
        self.workspace = self.choose_workspace(request)
        parameters.check_target(self.target, self.route, self.workspace)
        self.check_throttles(request)

    def journey(self, request: Request, mount: str = "", rest: str = "") -> HttpResponseBase:
        """Desk 5: swap the credentials, stream out, stream back; the database is let go first."""
        route = self.route
        self.refuse_switched_off()
        sent = headers.outbound(
            Fields(request.META),
            route,
            host=conf.upstream().netloc,
            address=client_address(request),
            scheme="https" if request.is_secure() else "http",
            request_id=replies.request_id(),
            workspace=self.workspace,
        )
        self.body = RequestBody.of(request.META)
        # Here and not later: a caller who sends its body slowly would hold a connection of the pool all the while.
        close_old_connections()
        body = self.take_body(request, self.body, sent)
        if isinstance(body, RequestBody) and body.length is not None:
            sent["Content-Length"] = str(body.length)
        if route.is_artifact and (reply := protocol.answer(self._as_call(request, sent, body))) is not None:
            return reply
        # Native artifact streaming ignores the static prefix; everything else lives below it (MLflow 3.17).
        is_native = route.is_native_artifact and request.method != "HEAD"
        target = self.target.render("" if is_native else conf.static_prefix())
        response = upstream.send(request.method or "", target, sent, body=body, traffic=route.traffic)
        return replies.relay(response, route, is_presigning=handouts.is_presigning(cast("ApiKey", request.auth)))

    get = head = post = put = patch = delete = journey

    def find_route(self, method: str, segments: tuple[str, ...]) -> routes.Route:
        return routes.find(method, segments)

    def take_body(self, request: Request, body: RequestBody, sent: Mapping[str, str]) -> bytes | RequestBody | None:
        return intake.take(request, body, self.route, self.workspace, sent)

    def refuse_switched_off(self) -> None:
        """Raise ArtifactsDisabledError or RouteUnknownError for what this portal's settings leave out."""
        if self.route.is_artifact and not conf.is_serving_artifacts():
            raise ArtifactsDisabledError()
        if self.route.resource == "workspace" and not conf.has_workspaces():
            raise RouteUnknownError("This MLflow runs without workspaces.")

    def choose_workspace(self, request: Request) -> str | None:
        service: Service = request.user  # type: ignore[assignment]
        if not conf.has_workspaces():
            workspaces.refuse_pinned(service.workspaces)
            return None
        workspaces.refuse_management(service.workspaces, self.route, self.target.segments)
        return workspaces.choose(service.workspaces, Fields(request.META).get(headers.WORKSPACE_HEADER))

    def _as_call(self, request: Request, sent: dict[str, str], body: bytes | RequestBody | None) -> Call:
        key, began_at = cast("ApiKey", request.auth), time.monotonic()

        def refuse_ended_caller() -> None:
            # One query at most for a call on the hot path: a short upload ends before a revocation could have come.
            if time.monotonic() - began_at > LONG_UPLOAD_SECONDS:
                self.refuse_ended(request)
                close_old_connections()

        return Call(
            method=request.method or "",
            route=self.route,
            target=self.target,
            headers=Fields(request.META),
            sent=sent,
            body=body,
            workspace=self.workspace,
            key=key,
            actor=Actor(
                name=key.public_id or str(request.user),
                address=client_address(request),
                request_id=replies.request_id(),
            ),
            before_commit=refuse_ended_caller,
        )

    def refuse_ended(self, request: Request) -> None:
        refuse_ended(cast("ApiKey", request.auth))

    def handle_exception(self, exc: Exception) -> replies.ErrorReply:  # type: ignore[override]
        reply = refusals.render(exc)
        if reply.status_code == 401:
            reply["WWW-Authenticate"] = self.get_authenticate_header(self.request) or "Bearer"
        if isinstance(exc, MethodNotAllowed):
            reply["Allow"] = ", ".join(self.allowed_methods)
        return reply

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in throttling.headers(self.pace).items() if self.pace else ():
            response[name] = value
        return response

    def received(self) -> int:
        return self.body.received if self.body else 0

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}


def raw_target(request: Request | HttpRequest) -> str:
    """Return the request target as received; Django's own path has lost what was encoded."""
    raw: str = request.META.get("RAW_URI") or request.META.get("REQUEST_URI") or ""
    if not raw:
        raise ProxyError("This server does not hand on the raw request target. Run the portal under gunicorn.")
    return raw
