"""Which scopes an account's permissions give in MLflow's web interface; knows no request and writes nothing."""

from django.contrib.auth.models import AnonymousUser, User

from apikeys import scopes
from apikeys.staff import EDIT_MLFLOW_UI as EDIT
from apikeys.staff import VIEW_MLFLOW_UI as VIEW

SCOPES_TO_VIEW = scopes.PRESETS["reader"]
# Not mlflow:admin: workspaces are managed by a service with a key.
SCOPES_TO_EDIT = (
    *("mlflow:write", "mlflow:delete", "model:write", "model:promote", "model:delete"),
    *("artifact:write", "artifact:delete"),
)


def scopes_of(user: User | AnonymousUser) -> tuple[str, ...]:
    """Return what an account may do in the interface: nothing, or to view, or to view and edit."""
    if not user.is_staff or not user.has_perm(VIEW):
        return ()
    return SCOPES_TO_VIEW + (SCOPES_TO_EDIT if user.has_perm(EDIT) else ())
