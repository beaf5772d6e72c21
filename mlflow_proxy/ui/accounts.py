"""Describe a signed-in account in the words of MLflow's own login, which its interface goes by; pure, judges nothing.

The interface hides what it believes the account may not do, and sends nothing. So it is told the truth, though the
portal decides anew on every call. Accounts are the portal's: nobody is an administrator of MLflow's.
"""

from collections.abc import Sequence
from typing import Any

from apikeys import scopes
from mlflow_proxy import workspaces
from mlflow_proxy.routes import Route

RESOURCES = ("experiment", "registered_model")


def answer(route: Route, *, number: int, name: str, held: Sequence[str], workspace: str | None) -> dict[str, Any]:
    """Return what the interface is told of an account, known by number and name, that holds these scopes."""
    match route.template.rpartition("/users/")[2]:
        case "current":
            # Basic authentication would bring a button that signs out of nothing.
            return {"user": {"id": number, "username": name, "is_admin": False}, "is_basic_auth": False}
        case "current/permissions":
            return {"is_admin": False, "permissions": _permissions(held, workspace or workspaces.DEFAULT)}
    return {"roles": []}


def _permissions(held: Sequence[str], workspace: str) -> list[dict[str, Any]]:
    word = "MANAGE" if scopes.grants(held, "mlflow:write") else "READ"
    shared = {"role_id": 0, "role_name": "Hokusai Portal", "workspace": workspace}
    return [shared | {"resource_type": kind, "resource_pattern": "*", "permission": word} for kind in RESOURCES]
