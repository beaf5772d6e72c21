"""Say whether the artifact store does what transfers need, step by step, and what to do where it does not."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apikeys.management.base import NOT_BEGUN
from apikeys.management.output import add_output_arguments
from mlflow_proxy import conf
from mlflow_proxy.health import store
from mlflow_proxy.health.answers import Probe


class Command(BaseCommand):
    help = "List, write, read and delete a few bytes in the artifact store; exit 0 only if all of it works."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: Any) -> None:
        add_output_arguments(parser, quiet="print nothing: the exit status tells")

    def handle(self, *args: Any, **options: Any) -> None:
        if not conf.artifact_destination():
            raise CommandError(
                "HOKUSAI_ARTIFACT_DESTINATION is not set: MLflow keeps the artifacts, where is its to say.",
                returncode=NOT_BEGUN,
            )
        self.is_quiet = options["as_json"] or options["quiet"]
        self.say(f"Artifact store {conf.artifact_destination()}, mode {'direct' if conf.is_direct() else 'proxy'}")
        steps = []
        for probe in store.walk_steps():
            steps.append(probe)
            self.say(f"{'✓' if probe.passed else '✗'} {word_of(probe):<10} {probe.latency_ms:>8.1f} ms")
        last = steps[-1]
        if options["as_json"]:
            told = [{"step": word_of(probe), "latency_ms": probe.latency_ms} for probe in steps if probe.passed]
            document = {"destination": conf.artifact_destination(), "passed": last.passed, "steps": told}
            self.stdout.write(json.dumps(document | {"reason": last.reason, "hint": last.hint}, indent=2))
        if not last.passed:
            raise CommandError(f"{last.reason}: {last.hint}")
        self.say("All good: what transfers do works.")

    def say(self, line: str) -> None:
        if not self.is_quiet:
            self.stdout.write(line)
            self.stdout.flush()


def word_of(probe: Probe) -> str:
    """Return the step's own word, such as ``write``."""
    return next(word for word, name in store.NAMES.items() if name == probe.name)
