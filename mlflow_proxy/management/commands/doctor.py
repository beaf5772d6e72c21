"""Walk a client's way to a portal and its store, from this machine, and name the first hop that fails."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apikeys import keys
from apikeys.management.base import NOT_BEGUN
from apikeys.management.output import add_output_arguments
from mlflow_proxy import conf
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.doctor import TITLES, Walk
from mlflow_proxy.management.addresses import split_url

MARKS = {"passed": "✓", "failed": "✗", "unknown": "–"}
MIB = 1024**2
STEP = 16 * MIB


class Command(BaseCommand):
    help = "Walk a client's way to a portal, hop by hop: 0 all well, 1 a hop failed, 2 not begun."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: Any) -> None:
        told = "the portal, or its tracking URI (…/api/mlflow); HOKUSAI_PUBLIC_URL when left out"
        parser.add_argument("--url", default="", help=told)
        add_output_arguments(parser, quiet="print nothing: the exit status tells")

    def handle(self, *args: Any, **options: Any) -> None:
        portal, tracking_uri = self.destination(options["url"])
        self.is_quiet = options["as_json"] or options["quiet"]
        self.say(f"From here to {tracking_uri}, with {name_of(conf.api_key())}")
        hops = []
        for hop in Walk(portal, tracking_uri, conf.api_key(), self.show_progress):
            hops.append(hop)
            self.show(hop)
        failed = next((hop for hop in hops if hop.status == "failed"), None)
        if options["as_json"]:
            document = {"passed": failed is None, "tracking_uri": tracking_uri, "hops": [asdict(hop) for hop in hops]}
            self.stdout.write(json.dumps(document, indent=2))
        if failed:
            raise CommandError(f"The first hop that failed: {TITLES[failed.name]} ({failed.reason}).")
        self.say("All good: every hop of a client's way works from here.")

    def destination(self, url: str) -> tuple[str, str]:
        if not conf.api_key():
            raise CommandError("Set HOKUSAI_API_KEY to the key to walk with.", returncode=NOT_BEGUN)
        if not (conf.api_key().isascii() and conf.api_key().isprintable()):
            raise CommandError("HOKUSAI_API_KEY has characters that no key has.", returncode=NOT_BEGUN)
        if not (url or conf.public_url()):
            raise CommandError("Say where to: --url https://registry.example.org", returncode=NOT_BEGUN)
        return split_url(url or conf.public_url())

    def show(self, hop: Probe) -> None:
        title = TITLES[hop.name]
        told = hop.detail if hop.status == "passed" else f"{hop.reason}: {hop.detail}"
        self.say(f"{MARKS[hop.status]} {title:<24}{hop.latency_ms:>8.0f} ms  {told}")
        if hop.status == "failed":
            self.say(f"  {'':<24}{'':>8}     → {hop.hint}")

    def show_progress(self, hop: str, done: int, total: int) -> None:
        # Where nobody watches, a line is enough for each hop.
        is_step = done % STEP < 512 * 1024 and done >= STEP
        if is_step and done < total and sys.stdout.isatty():
            self.say(f"  {TITLES[hop]}: {done // MIB} of {total // MIB} MiB …", ending="\r")

    def say(self, line: str, ending: str = "\n") -> None:
        if not self.is_quiet:
            self.stdout.write(line, ending=ending)
            self.stdout.flush()


def name_of(key: str) -> str:
    """Return what may be shown of a key."""
    try:
        return f"the key {keys.parse(key).public_id}"
    except keys.MalformedKeyError:
        return "what HOKUSAI_API_KEY holds, which has not the shape of a key"
