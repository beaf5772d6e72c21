"""Let a service's callers be sent to the artifact store with signed addresses, or end that."""

from typing import Any

from apikeys import actions
from apikeys.management.base import KeyCommand, actor, describe_service, find_service


class Command(KeyCommand):
    help = "Switch signed addresses of the artifact store on or off for a service; off is the default."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("service_id", help="as list_keys shows it")
        parser.add_argument("state", choices=("on", "off"), help="on: large transfers go past the portal")
        self.add_output_arguments(parser, quiet="print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        service, is_on = find_service(options["service_id"]), options["state"] == "on"
        service = actions.set_presigned_urls(service=service, is_on=is_on, actor=actor())
        sentence = (
            f"Service {service}: large transfers go past the portal from now on, straight to the store."
            if is_on
            else f"Service {service}: every byte goes through the portal from now on."
        )
        self.say(options, describe_service(service), sentence)
