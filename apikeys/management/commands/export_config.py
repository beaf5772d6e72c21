"""Print the services and their settings as a file that import_config reads; no key and no secret."""

from typing import Any

from apikeys.management import manifests
from apikeys.management.base import KeyCommand, find_service
from apikeys.management.output import add_output_arguments, as_json
from apikeys.models import Service


class Command(KeyCommand):
    help = "Print services, their defaults, limits and workspaces as YAML. No key and no secret is in it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--service", action="append", default=[], metavar="ID", help="only this one; may repeat (default: all)"
        )
        add_output_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        services = [find_service(name) for name in options["service"]] or Service.objects.all()
        manifest = manifests.of(services)
        if options["as_json"]:
            self.stdout.write(as_json({"version": manifests.VERSION, "services": manifest}))
        else:
            self.stdout.write(manifests.render(manifest), ending="")
