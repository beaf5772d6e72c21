"""What the key commands share: who acts, how a key is found and described; writes nothing itself."""

import datetime
import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from apikeys import scopes
from apikeys.actions import ActionRefusedError, Actor, IssuedKey
from apikeys.management.output import as_json
from apikeys.models import ApiKey, Service


class KeyCommand(BaseCommand):
    """A command that turns the refusals of actions into one line on standard error and exit status 1."""

    requires_migrations_checks = False

    def add_output_arguments(self, parser: Any, *, quiet: str = "") -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        if quiet:
            how.add_argument("--quiet", action="store_true", help=quiet)

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

    def print_issued(self, issued: IssuedKey, options: dict[str, Any], **more: Any) -> None:
        """Print a new key: alone with --quiet, else with what to do next. It is shown this once."""
        if options["quiet"]:
            self.stdout.write(issued.secret.text)
        elif options["as_json"]:
            self.stdout.write(as_json({"api_key": issued.secret.text, **describe(issued.row), **more}))
        else:
            self.stdout.write(f"Key {issued.row} of service {issued.row.service}, shown this once:\n")
            self.stdout.write(f"  {issued.secret.text}\n")
            self.stdout.write(f"  scopes   {' '.join(issued.row.scopes)}")
            self.stdout.write(f"  expires  {issued.row.expires_at:%Y-%m-%d %H:%M} UTC")
            for word, fact in more.items():
                shown = f"{fact:%Y-%m-%d %H:%M} UTC" if isinstance(fact, datetime.datetime) else fact
                self.stdout.write(f"  {word.replace('_', ' ')}  {shown}")
            self.stdout.write("\nNext: give it to its user as MLFLOW_TRACKING_TOKEN.")


def actor() -> Actor:
    return Actor(name=f"command line: {getpass.getuser()}")


def find_service(service_id: str) -> Service:
    try:
        return Service.objects.get(service_id=service_id)
    except Service.DoesNotExist:
        known = ", ".join(Service.objects.values_list("service_id", flat=True))
        raise CommandError(f"There is no service {service_id}. Known: {known}.") from None


def find_key(public_id: str) -> ApiKey:
    """Return the key of a public id; a whole key pasted by mistake is recognised and not repeated."""
    try:
        return ApiKey.objects.select_related("service").get(public_id=public_id)
    except ApiKey.DoesNotExist:
        raise CommandError(
            "There is no key of this public id. `list_keys` shows them: hk_live_ and 12 characters."
        ) from None


def describe(row: ApiKey) -> dict[str, Any]:
    """Return what may be shown of a key, by the field names of the REST API."""
    return {
        "key_id": row.public_id,
        "service_id": row.service.service_id,
        "name": row.name,
        "environment": row.environment,
        "scopes": row.scopes,
        "allowed_ips": row.allowed_ips,
        "rate_limit_per_hour": row.rate_limit_per_hour,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "last_used_at": row.last_used_at,
    }
