"""Say whether the artifact store does what transfers need, step by step, and what to do where it does not."""

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mlflow_proxy import conf
from mlflow_proxy.artifacts import stores
from mlflow_proxy.exceptions import ProxyError, StoreRefusedError, StoreUnavailableError


class Command(BaseCommand):
    help = "List, write, read and delete a few bytes in the artifact store; exit 0 only if all of it works."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        if not conf.artifact_destination():
            raise CommandError(
                "HOKUSAI_ARTIFACT_DESTINATION is not set: MLflow keeps the artifacts, where is its to say."
            )
        self.is_quiet = options["as_json"]
        self.say(f"Artifact store {conf.artifact_destination()}, mode {'direct' if conf.is_direct() else 'proxy'}")
        steps, fault = self.walk()
        if options["as_json"]:
            document = {"destination": conf.artifact_destination(), "passed": fault is None, "steps": steps}
            self.stdout.write(json.dumps(document | described(fault), indent=2))
        if fault is not None:
            raise CommandError(f"{fault.reason}: {described(fault)['hint'] or fault}")
        self.say("All good: what transfers do works.")

    def walk(self) -> tuple[list[dict[str, Any]], ProxyError | None]:
        steps: list[dict[str, Any]] = []
        began_at = time.perf_counter()
        try:
            for word in stores.current().probe():
                took = round((time.perf_counter() - began_at) * 1000, 1)
                steps.append({"step": word, "latency_ms": took})
                self.say(f"✓ {word:<10} {took:>8.1f} ms")
                began_at = time.perf_counter()
        except ProxyError as error:
            return steps, error
        return steps, None

    def say(self, line: str) -> None:
        if not self.is_quiet:
            self.stdout.write(line)
            self.stdout.flush()


def described(fault: ProxyError | None) -> dict[str, str]:
    hint = fault.hint if isinstance(fault, StoreRefusedError | StoreUnavailableError) else ""
    return {"reason": fault.reason if fault else "", "hint": hint}
