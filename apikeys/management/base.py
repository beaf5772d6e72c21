"""What the key commands share: who acts, how a key is found, described and shown; writes nothing itself."""

import getpass
import shlex
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from apikeys import conf, scopes
from apikeys.actions import ActionRefusedError, Actor, IssuedKey
from apikeys.management import output
from apikeys.models import ApiKey, ApiKeyQuerySet, Service

# Exit statuses beside 0; docs/commands.md says what each means.
FAILED, NOT_BEGUN, ANSWER_IS_NO = 1, 2, 3


class KeyCommand(BaseCommand):
    """A command that turns the refusals of actions into one line on standard error and exit status 1."""

    requires_migrations_checks = False

    def add_output_arguments(self, parser: Any, *, quiet: str = "", env: str = "") -> None:
        output.add_output_arguments(parser, quiet=quiet, env=env)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (ActionRefusedError, scopes.UnknownScopeError) as error:
            raise CommandError(str(error)) from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except OverflowError:
            raise CommandError("A number is larger than any date.") from None
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}. Has `manage.py migrate` run?") from None

    def say(self, options: dict[str, Any], document: Any, sentence: str) -> None:
        """Print a document with --json, nothing with --quiet, else a sentence."""
        if options["as_json"]:
            self.stdout.write(output.as_json(document))
        elif not options.get("quiet"):
            self.stdout.write(sentence)

    def print_issued(self, issued: IssuedKey, options: dict[str, Any], **more: Any) -> None:
        """Print a new key in the form asked for, else with what to do next. It is shown this once."""
        secret = issued.secret.text
        if options["quiet"]:
            self.stdout.write(secret)
        elif options["as_env"]:
            self.stdout.write(f"export MLFLOW_TRACKING_URI={shlex.quote(conf.tracking_uri())}")
            self.stdout.write(f"export MLFLOW_TRACKING_TOKEN={secret}")
        elif options["as_json"]:
            # Under both words, as in the reply of the REST API.
            self.stdout.write(output.as_json({"secret": secret, "api_key": secret, **describe(issued.row), **more}))
        else:
            facts = {"scopes": issued.row.scopes, "expires": issued.row.expires_at, **more}
            self.stdout.write(f"Key {issued.row} of service {issued.row.service}, shown this once:\n\n")
            self.stdout.write(f"  {secret}\n\n")
            self.stdout.write(output.as_facts({word.replace("_", " "): fact for word, fact in facts.items()}))
            self.stdout.write("\nTimes are UTC. Next: give it to its user as MLFLOW_TRACKING_TOKEN.")


def actor() -> Actor:
    return Actor(name=f"command line: {getpass.getuser()}")


def refuse_env_without_address(options: dict[str, Any]) -> None:
    """Raise CommandError before anything is written, where --env would have no address to print."""
    if options["as_env"] and not conf.tracking_uri():
        raise CommandError("Set HOKUSAI_PUBLIC_URL: --env prints the address that people type.", returncode=NOT_BEGUN)


def read_key(*, is_on_stdin: bool) -> str:
    """Return the key that a command asks about; it is never an argument, which every process could read."""
    if is_on_stdin:
        text = getpass.getpass("API key: ") if sys.stdin.isatty() else sys.stdin.readline()
    else:
        text = conf.api_key()
    if not text.strip():
        raise CommandError("Set HOKUSAI_API_KEY, or give the key with --key-stdin.", returncode=NOT_BEGUN)
    return text.strip()


def find_service(service_id: str) -> Service:
    try:
        return Service.objects.get(service_id=service_id)
    except Service.DoesNotExist:
        known = ", ".join(Service.objects.values_list("service_id", flat=True))
        raise CommandError(f"There is no service {service_id}. Known: {known}.") from None


def find_key(public_id: str) -> ApiKey:
    """Return the key of a public id; a whole key pasted by mistake is recognised and not repeated."""
    try:
        return described().get(public_id=public_id)
    except ApiKey.DoesNotExist:
        raise CommandError(
            "There is no key of this public id. `list_keys` shows them: hk_live_ and 12 characters."
        ) from None


def described() -> ApiKeyQuerySet:
    """Return the keys with all that is told of them."""
    return ApiKey.objects.with_status().select_related("predecessor", "successor")


def describe(row: ApiKey) -> dict[str, Any]:
    """Return what may be shown of a key, by the field names of the REST API; read anew where it was just written."""
    if not hasattr(row, "status"):
        row = described().get(pk=row.pk)
    successor: ApiKey | None = getattr(row, "successor", None)
    return {
        "key_id": row.public_id,
        "service_id": row.service.service_id,
        "name": row.name,
        "note": row.note,
        "scopes": row.scopes,
        "environment": row.environment,
        "status": row.status,  # type: ignore[attr-defined]
        "allowed_ips": row.allowed_ips,
        "rate_limit_per_hour": row.rate_limit_per_hour,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "last_used_ip": row.last_used_ip,
        "last_used_agent": row.last_used_agent,
        "disabled_at": row.disabled_at,
        "disabled_reason": row.disabled_reason,
        "revoked_at": row.revoked_at,
        "revoked_reason": row.revoked_reason,
        "rotated_from": row.predecessor.public_id if row.predecessor else None,
        "rotated_to": successor.public_id if successor else None,
        "grace_ends_at": row.expires_at if successor else None,
    }


def describe_service(service: Service) -> dict[str, Any]:
    """Return what may be shown of a service, by the names of its fields."""
    return {
        "service_id": service.service_id,
        "description": service.description,
        "owner": service.owner,
        "contact": service.contact,
        "default_scopes": service.default_scopes,
        "default_days": service.default_days,
        "default_rate_limit_per_hour": service.default_rate_limit_per_hour,
        "workspaces": service.workspaces,
        "presigned_urls": service.presigned_urls,
        "disabled_at": service.disabled_at,
        "disabled_reason": service.disabled_reason,
    }
