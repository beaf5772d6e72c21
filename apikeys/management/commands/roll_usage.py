"""Turn old hours of usage into days and forget old days; by hand what the worker does once a day."""

from typing import Any

from apikeys import ledger
from apikeys.management.base import KeyCommand


class Command(KeyCommand):
    help = "Roll hours of usage older than 31 days up to days and forget days older than 400, as the worker does daily."

    def add_arguments(self, parser: Any) -> None:
        self.add_output_arguments(parser, quiet="print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        rolled = ledger.roll_up()
        sentence = f"{rolled.hours} rows of hours became part of {rolled.days} days; {rolled.forgotten} rows forgotten."
        self.say(options, rolled._asdict(), sentence)
