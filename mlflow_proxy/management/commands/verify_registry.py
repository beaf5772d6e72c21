"""Prove a deployment: the real registration as one command, through the portal, with nothing but a key."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from django.core.management.base import BaseCommand, CommandError

from apikeys.management.base import NOT_BEGUN
from apikeys.management.output import add_output_arguments
from mlflow_proxy import conf
from mlflow_proxy.management.addresses import split_url

SCRIPT = Path(__file__).parent.parent / "registration.py"
MARKS = {"passed": "✓", "failed": "✗", "left": "–"}
Step = dict[str, str]


class Command(BaseCommand):
    help = (
        "Train, log, register and load a model through a portal with the stock client; exit 0 only if all of it works."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--url", required=True, help="the portal, or its tracking URI (…/api/mlflow)")
        add_output_arguments(parser, quiet="print nothing: the exit status tells")

    def handle(self, *args: Any, **options: Any) -> None:
        if not conf.api_key():
            raise CommandError(
                "Set HOKUSAI_API_KEY to the key to verify with: it is read from nowhere else.", returncode=NOT_BEGUN
            )
        if not conf.mlflow_python().exists():
            raise CommandError(
                f"The stock client is missing at {conf.mlflow_python()}. Run: make .venv-mlflow/.installed",
                returncode=NOT_BEGUN,
            )
        portal, tracking_uri = split_url(options["url"])
        steps = []
        for step in walk(portal, tracking_uri):
            steps.append(step)
            if not (options["as_json"] or options["quiet"]):
                self.print_step(step)
        is_good = all(step["state"] != "failed" for step in steps)
        if options["as_json"]:
            self.stdout.write(json.dumps({"passed": is_good, "tracking_uri": tracking_uri, "steps": steps}, indent=2))
        elif is_good and not options["quiet"]:
            self.stdout.write(f"All good: {tracking_uri} trains, registers and serves models.")
        if not is_good:
            raise CommandError(f"{tracking_uri} does not work yet: see the step marked ✗.")

    def print_step(self, step: Step) -> None:
        self.stdout.write(f"{MARKS[step['state']]} {step['step']:<20} {step['detail']}")
        if step["hint"]:
            self.stdout.write(f"  {'':<20} → {step['hint']}")
        self.stdout.flush()


def walk(portal: str, tracking_uri: str) -> Iterator[Step]:
    """Yield the steps as they end: first the portal's own readiness, then the client's way."""
    first = ask_readiness(portal)
    yield first
    if first["state"] == "failed":
        return
    has_failed = False
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
        process = subprocess.Popen(  # noqa: S603  (our own script, no shell)
            [conf.mlflow_python(), SCRIPT],
            env=client_environment(tracking_uri, home),
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            encoding="utf-8",
        )
        for line in process.stdout or ():
            if line.startswith("{"):
                step = json.loads(line)
                has_failed = has_failed or step["state"] == "failed"
                yield step
        if process.wait() != 0 and not has_failed:
            complaints.seek(0)
            hint = "Does .venv-mlflow hold MLflow? Run: make .venv-mlflow/.installed"
            yield failed("run the client", complaints.read().strip()[-600:], hint)


def ask_readiness(portal: str) -> Step:
    session = requests.Session()
    session.trust_env = False
    try:
        reply = session.get(f"{portal}/ready", timeout=10, verify=conf.authorities())
        document = reply.json()
    except (requests.RequestException, ValueError) as error:
        hint = "Nothing that is a portal listens there. Is it running, and is --url right?"
        return failed("portal is ready", type(error).__name__, hint)
    broken = [f"{check['name']} ({check['reason']})" for check in document.get("checks", []) if not check["passed"]]
    if reply.status_code != requests.codes.ok:
        return failed(
            "portal is ready", f"not ready: {', '.join(broken)}", "GET /ready with an operator's key says more."
        )
    return {"step": "portal is ready", "state": "passed", "detail": portal, "hint": ""}


def failed(step: str, detail: str, hint: str) -> Step:
    return {"step": step, "state": "failed", "detail": detail, "hint": hint}


def client_environment(tracking_uri: str, home: str) -> dict[str, str]:
    """Return an environment with the two variables of a user and without anybody's cloud credentials or netrc."""
    return conf.client_environment() | {
        "HOME": home,
        "MLFLOW_TRACKING_URI": tracking_uri,
        "MLFLOW_TRACKING_TOKEN": conf.api_key(),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNINGS": "ignore",
    }
