"""Say whose key this is, by the code that every call passes; reads the database, and asks no network."""

from typing import Any

from django.core.management.base import CommandError

from apikeys import scopes
from apikeys.authentication import verify
from apikeys.credentials import CredentialRefusedError
from apikeys.exceptions import PaceError
from apikeys.keys import UnknownPepperError
from apikeys.management.base import ANSWER_IS_NO, KeyCommand, describe, find_key, read_key
from apikeys.management.output import as_facts, as_json
from apikeys.models import ApiKey


class Command(KeyCommand):
    help = "Say whose key HOKUSAI_API_KEY is, and whether it may be used now: 0 it may, 3 it may not."

    def add_arguments(self, parser: Any) -> None:
        told = "read the key from standard input, or ask for it on a terminal"
        parser.add_argument("--key-stdin", action="store_true", help=told)
        self.add_output_arguments(parser, quiet="print the public id alone")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = find_key(verify(read_key(is_on_stdin=options["key_stdin"])).public_id)
        except CredentialRefusedError as error:
            if options["as_json"]:
                refused = {"is_valid": False, "reason": error.reason, "key_id": error.public_id or None}
                self.stdout.write(as_json(refused))
            told = f"Key {error.public_id}" if error.public_id else "This"
            raise CommandError(f"{told} may not be used: {error.reason}.", returncode=ANSWER_IS_NO) from None
        except (PaceError, UnknownPepperError) as error:
            raise CommandError(str(error)) from None
        if options["as_json"]:
            self.stdout.write(as_json({"is_valid": True, "reason": "", **describe(row)}))
        elif options["quiet"]:
            self.stdout.write(row.public_id)
        else:
            self.stdout.write(f"Key {row} of service {row.service} may be used now.")
            self.stdout.write(as_facts(facts_of(row)))
            self.stdout.write(f"\nTimes are UTC. Next: manage.py explain {row} METHOD PATH says what it may do.")


def facts_of(row: ApiKey) -> dict[str, Any]:
    """Return what a person wants to know of a key, with what an empty field means."""
    return {
        "name": row.name,
        "status": row.status,  # type: ignore[attr-defined]
        "scopes": row.scopes,
        "preset": scopes.preset_of(row.scopes),
        "networks": row.allowed_ips or "anywhere",
        "calls an hour": row.rate_limit_per_hour or "as the portal allows",
        "expires": row.expires_at,
        "last used": row.last_used_at or "never",
    }
