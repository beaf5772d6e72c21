"""Which MLflow workspace a call acts in; pure: the service's list decides, the caller may choose only from it."""

from collections.abc import Sequence

from mlflow_proxy.exceptions import AmbiguousTargetError, LocationRefusedError, WorkspaceRefusedError
from mlflow_proxy.routes import Route

PREFIX = "workspaces"
DEFAULT = "default"


def choose(allowed: Sequence[str], asked: str | None) -> str | None:
    """Return the workspace to act in, None for MLflow's default one.

    A service of one workspace is always in it, whatever it asks for. One of several is in the first unless it asks
    for another; WorkspaceRefusedError when that is not on its list.
    """
    if len(allowed) <= 1:
        return next(iter(allowed), None)
    if asked is None:
        return allowed[0]
    if asked not in allowed:
        raise WorkspaceRefusedError(f"This service may act in the workspaces {', '.join(allowed)}, not in that one.")
    return asked


def refuse_pinned(allowed: Sequence[str]) -> None:
    """Raise WorkspaceRefusedError for a pinned service before an MLflow without workspaces, where no pin holds."""
    if allowed:
        raise WorkspaceRefusedError(
            f"This service is pinned to {', '.join(allowed)}, and this MLflow runs without workspaces. "
            "Set HOKUSAI_WORKSPACES, or end the pin."
        )


def refuse_management(allowed: Sequence[str], route: Route, segments: Sequence[str]) -> None:
    """Raise WorkspaceRefusedError where a service pinned to ``allowed`` would manage workspaces or look at others.

    MLflow keeps no such bound: whoever may delete a workspace may delete any.
    """
    is_own = route.method == "GET" and route.template.endswith("{workspace_name}") and segments[-1] in allowed
    if allowed and route.resource == "workspace" and not is_own:
        raise WorkspaceRefusedError(
            f"This service is pinned to {', '.join(allowed)}: it may look at that alone. "
            "Workspaces are managed by a service that is not pinned."
        )


def rooted(path: Sequence[str], workspace: str | None) -> tuple[str, ...]:
    """Return where a path of a workspace rests in the store, as MLflow lays it out (server/handlers.py)."""
    if workspace in {None, DEFAULT} or tuple(path[:1]) == (PREFIX,):
        return tuple(path)
    return (PREFIX, str(workspace), *path)


def refuse_foreign_prefix(path: Sequence[str], workspace: str | None) -> None:
    """Raise AmbiguousTargetError for an artifact path that spells a workspace other than the one acted in."""
    if list(path[:1]) == [PREFIX] and (len(path) < 2 or path[1] != (workspace or DEFAULT)):
        raise AmbiguousTargetError("The artifact path names a workspace that the call does not act in.")


def refuse_unrooted(path: Sequence[str], workspace: str | None) -> None:
    """Raise LocationRefusedError for a path that, taken from the store's root as it stands, leaves the workspace."""
    if rooted(path, workspace) != tuple(path):
        raise LocationRefusedError(f"The location must stand below {PREFIX}/{workspace}/.")
