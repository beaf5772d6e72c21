"""Issue a key on the command line; the rules are those of apikeys.actions."""

from typing import Any

from apikeys import actions, scopes
from apikeys.management.base import KeyCommand, actor, find_service, refuse_env_without_address
from apikeys.models import DEFAULT_SERVICE


class Command(KeyCommand):
    help = "Issue an API key and print it once."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--service", default=DEFAULT_SERVICE, help="service id (default: %(default)s)")
        parser.add_argument("--name", required=True, help="what the key is for, as lists will show it")
        parser.add_argument("--scope", action="append", default=[], metavar="SCOPE", help="what it may do; may repeat")
        parser.add_argument("--preset", choices=list(scopes.PRESETS), help="a set of scopes by name")
        parser.add_argument("--expires-in-days", type=int, metavar="N", help="1 to the policy's maximum")
        parser.add_argument("--environment", default="live", help="live, test or dev (default: %(default)s)")
        parser.add_argument(
            "--allow-ip", action="append", default=[], metavar="CIDR", help="only from this network; may repeat"
        )
        parser.add_argument("--rate-limit-per-hour", type=int, metavar="N", help="calls an hour (default: policy)")
        self.add_output_arguments(parser, quiet="print the key alone", env="print export lines for a shell")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_env_without_address(options)
        issued = actions.issue_key(
            service=find_service(options["service"]),
            name=options["name"],
            scopes=[*options["scope"], *scopes.PRESETS.get(options["preset"], ())],
            expires_in_days=options["expires_in_days"],
            environment=options["environment"],
            allowed_ips=options["allow_ip"],
            rate_limit_per_hour=options["rate_limit_per_hour"],
            actor=actor(),
        )
        self.print_issued(issued, options)
