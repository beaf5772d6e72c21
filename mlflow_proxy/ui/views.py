"""MLflow's web interface for staff: the proxy view with another identity and other rights; holds no rule of its own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import structlog
from django.http import HttpResponseBase
from rest_framework.request import Request

from mlflow_proxy import headers, replies
from mlflow_proxy.bodies import RequestBody
from mlflow_proxy.routes import Route
from mlflow_proxy.ui import accounts, graphql, identity, origins, pages, routes
from mlflow_proxy.views import MlflowProxyView

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from mlflow_proxy.ui.identity import StaffPass

log = structlog.get_logger(__name__)


class MlflowUiView(MlflowProxyView):
    """Serve a member of staff below ``/mlflow/``: what a key may ask for, and the interface's own pages."""

    authentication_classes = (identity.SessionAuthentication,)
    permission_classes = (identity.HoldsPermission,)
    # A browser opens many calls at once, and no rate is set for accounts.
    throttle_classes = ()

    def journey(self, request: Request, mount: str = "", rest: str = "") -> HttpResponseBase:
        if self.route.resource in routes.OWN:
            return replies.json_reply(self.own_answer(cast("User", request.user), cast("StaffPass", request.auth)))
        reply = super().journey(request, mount, rest)
        if self.required_scope and not self.required_scope.endswith(":read"):
            # MLflow knows no accounts: who changed something stands here alone.
            log.info("mlflow_changed", operation=self.operation, status=reply.status_code)
        return pages.dress(reply, self.route, self.target.segments, request.headers.get("Accept-Encoding", ""))

    get = head = post = put = patch = delete = journey

    def own_answer(self, user: "User", held: "StaffPass") -> dict[str, Any]:
        if self.route.resource == "gateway":
            # What MLflow itself says without one. A 404 would be an error on top of every list of runs.
            return {"endpoints": []}
        return accounts.answer(
            self.route, number=user.pk, name=user.get_username(), held=held.scopes, workspace=self.workspace
        )

    def find_route(self, method: str, segments: tuple[str, ...]) -> Route:
        return routes.find(method, segments)

    def choose_workspace(self, request: Request) -> str | None:
        return identity.chosen_workspace(request.headers.get(headers.WORKSPACE_HEADER))

    def take_body(self, request: Request, body: RequestBody, sent: Mapping[str, str]) -> bytes | RequestBody | None:
        taken = super().take_body(request, body, sent)
        if self.route.resource == "graphql":
            graphql.refuse_unknown(taken if isinstance(taken, bytes) else b"")
        return taken

    def refuse_ended(self, request: Request) -> None:
        identity.refuse_ended(cast("User", request.user), self.required_scope)

    def handle_exception(self, exc: Exception) -> replies.ErrorReply:  # type: ignore[override]
        """Return a refusal as JSON to a script, and as a page to a person."""
        refusal = super().handle_exception(exc)
        received = self._received_request
        return pages.refused(received, refusal) if origins.is_navigation(received) else refusal
