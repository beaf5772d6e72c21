"""Turn old hours of usage into days and forget old days; by hand what the worker does once a day."""

from typing import Any

from apikeys import ledger
from apikeys.management.base import KeyCommand
from apikeys.management.output import as_json


class Command(KeyCommand):
    help = "Roll hours of usage older than 31 days up to days and forget days older than 400, as the worker does daily."

    def add_arguments(self, parser: Any) -> None:
        self.add_output_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        rolled = ledger.roll_up()
        if options["as_json"]:
            self.stdout.write(as_json(rolled._asdict()))
        else:
            self.stdout.write(
                f"{rolled.hours} rows of hours became part of {rolled.days} days; {rolled.forgotten} rows forgotten."
            )
