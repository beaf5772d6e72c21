"""A permitted call as the artifact protocol sees it; knows where its path rests, and opens nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apikeys.actions import Actor
from apikeys.models import ApiKey
from mlflow_proxy import workspaces
from mlflow_proxy.bodies import RequestBody
from mlflow_proxy.routes import Route
from mlflow_proxy.targets import RequestTarget


@dataclass(frozen=True, slots=True)
class Call:
    """A permitted call: what was asked, who asks, and ``sent``, the headers that MLflow would be told."""

    method: str
    route: Route
    target: RequestTarget
    headers: Mapping[str, str]
    sent: Mapping[str, str]
    body: bytes | RequestBody | None
    workspace: str | None
    key: ApiKey
    actor: Actor
    # Raises when the key has ended since the call began.
    before_commit: Callable[[], None]

    @property
    def path(self) -> str:
        """The path in the store that the target spells out."""
        return self.in_store("/".join(self.target.segments[self.route.fixed_length :]))

    @property
    def query(self) -> dict[str, str]:
        return dict(self.target.query)

    def in_store(self, path: str) -> str:
        """Return where a path of the caller's workspace rests; raises AmbiguousTargetError for a foreign one."""
        segments = tuple(path.split("/")) if path else ()
        workspaces.refuse_foreign_prefix(segments, self.workspace)
        return "/".join(workspaces.rooted(segments, self.workspace))
