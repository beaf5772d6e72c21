"""Register a service on the command line; the rules are those of apikeys.actions."""

from typing import Any

from apikeys import actions
from apikeys.management.base import KeyCommand, actor, describe_service


class Command(KeyCommand):
    help = "Register a service: a calling program that owns keys."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("service_id", help="1 to 63 of a-z, 0-9 and hyphen")
        parser.add_argument("--description", default="", help="what it does")
        parser.add_argument("--owner", default="", help="who answers for it")
        self.add_output_arguments(parser, quiet="print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        service = actions.create_service(
            service_id=options["service_id"],
            description=options["description"],
            owner=options["owner"],
            actor=actor(),
        )
        next_step = f"manage.py issue_key --service {service} --name NAME --preset contributor"
        self.say(options, describe_service(service), f"Service {service} is registered. Next: {next_step}")
