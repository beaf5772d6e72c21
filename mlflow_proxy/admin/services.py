"""The screen of services with MLflow's workspaces: makes those a service is pinned to; pinning is the screen's own."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from apikeys.actions import ActionRefusedError, Actor
from apikeys.admin.changes import Change, may_change
from apikeys.admin.services import ServiceAdmin
from apikeys.models import Service
from mlflow_proxy import conf
from mlflow_proxy.administration import WorkspaceNotCreatedError, ensure_workspace

admin.site.unregister(Service)


def create_workspaces(service: Service, facts: dict[str, Any], actor: Actor) -> str:
    """Create the workspaces of a service that MLflow does not have; return what became of each."""
    if not conf.has_workspaces():
        raise ActionRefusedError("HOKUSAI_WORKSPACES is false: this MLflow runs without workspaces")
    if not service.workspaces:
        raise ActionRefusedError(f"service {service} is pinned to no workspace")
    try:
        return ", ".join(f"{name} {ensure_workspace(name)}" for name in service.workspaces)
    except WorkspaceNotCreatedError as error:
        raise ActionRefusedError(str(error)) from None


CREATE_WORKSPACES: Change[Service] = Change(
    name="create-workspaces",
    verb="Create missing MLflow workspaces",
    done="served",
    consequence="MLflow is asked to create every workspace of the service. Those that are there stay as they are.",
    form=forms.Form,
    apply=create_workspaces,
    may=may_change,
    suits=lambda row: bool(row.workspaces) and conf.has_workspaces(),
)


@admin.register(Service)
class MlflowServiceAdmin(ServiceAdmin):
    """The portal's screen, which knows no MLflow by itself."""

    changes = (*ServiceAdmin.changes, CREATE_WORKSPACES)

    def get_readonly_fields(self, request: HttpRequest, obj: Service | None = None) -> tuple[str, ...]:
        """Take the field out of the form, too: one that is not shown would come back empty, and unpin."""
        kept = super().get_readonly_fields(request, obj)
        return kept if conf.has_workspaces() else (*kept, "pinned_to")

    def get_fieldsets(self, request: HttpRequest, obj: Service | None = None) -> Any:
        """Leave workspaces out where MLflow has none: pinned to one, every call of a service would fail."""
        if conf.has_workspaces():
            return super().get_fieldsets(request, obj)
        return [
            (title, options | {"fields": tuple(name for name in options["fields"] if name != "pinned_to")})
            for title, options in super().get_fieldsets(request, obj)
        ]
