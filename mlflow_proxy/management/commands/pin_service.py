"""Pin a service to MLflow workspaces, creating those that are missing; the rules are those of apikeys.actions."""

import json
from typing import Any

from django.core.management.base import CommandError

from apikeys import actions, rules
from apikeys.management.base import KeyCommand, actor, find_service
from mlflow_proxy import conf, upstream
from mlflow_proxy.exceptions import ProxyError

LIMIT = 64 * 1024


class Command(KeyCommand):
    help = "Pin a service to workspaces: the first is its default, and its keys see no other."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("service_id")
        parser.add_argument("--workspace", action="append", default=[], metavar="NAME", help="may repeat; none unpins")

    def handle(self, *args: Any, **options: Any) -> None:
        service, names = find_service(options["service_id"]), options["workspace"]
        if names and not conf.has_workspaces():
            raise CommandError("HOKUSAI_WORKSPACES is false: this MLflow runs without workspaces.")
        rules.refuse_bad_workspaces(names)
        # Pinned only to what exists: otherwise every call of the service would fail.
        for name in names:
            self.stdout.write(f"workspace {name}: {ensure_workspace(name)}")
        actions.pin_service(service=service, workspaces=names, actor=actor())
        where = ", ".join(names) or "MLflow's default workspace"
        self.stdout.write(f"Service {service} acts in {where} from its next request on.")


def ensure_workspace(name: str) -> str:
    """Create a workspace in MLflow unless it is there; raises CommandError with MLflow's own complaint."""
    target = f"{conf.static_prefix()}/api/3.0/mlflow/workspaces"
    headers = {"Host": conf.upstream().netloc, "X-Forwarded-For": "unknown", "Content-Type": "application/json"}
    try:
        response = upstream.send("POST", target, headers, body=json.dumps({"name": name}).encode())
        status, raw = response.status, upstream.read(response, LIMIT)
    except ProxyError as error:
        raise CommandError(str(error)) from None
    if status < 300:
        return "created"
    if b"RESOURCE_ALREADY_EXISTS" in raw:
        return "there already"
    raise CommandError(f"MLflow refused the workspace {name}: {raw[:300].decode(errors='replace')}")
