"""Pin a service to MLflow workspaces, creating those that are missing; the rules are those of apikeys.actions."""

from typing import Any

from django.core.management.base import CommandError

from apikeys import actions, rules
from apikeys.management.base import NOT_BEGUN, KeyCommand, actor, describe_service, find_service
from mlflow_proxy import conf
from mlflow_proxy.administration import WorkspaceNotCreatedError, ensure_workspace


class Command(KeyCommand):
    help = "Pin a service to workspaces: the first is its default, and its keys see no other."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("service_id", help="as list_keys shows it")
        parser.add_argument(
            "--workspace", action="append", default=[], metavar="NAME", help="may repeat; none ends the pin"
        )
        self.add_output_arguments(parser, quiet="print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        service, names = find_service(options["service_id"]), options["workspace"]
        if names and not conf.has_workspaces():
            raise CommandError(
                "HOKUSAI_WORKSPACES is false: this MLflow runs without workspaces.", returncode=NOT_BEGUN
            )
        rules.refuse_bad_workspaces(names)
        # Pinned only to what exists: otherwise every call of the service would fail.
        try:
            found = [f"workspace {name}: {ensure_workspace(name)}" for name in names]
        except WorkspaceNotCreatedError as error:
            raise CommandError(str(error)) from None
        service = actions.pin_service(service=service, workspaces=names, actor=actor())
        where = ", ".join(names) or "MLflow's default workspace"
        told = "\n".join([*found, f"Service {service} acts in {where} from its next request on."])
        self.say(options, describe_service(service), told)
