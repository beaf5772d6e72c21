"""What schemathesis is told of the portal: the formats of its document, and what would end the fuzzing itself."""

import os
import re
from typing import Any
from urllib.parse import urlencode

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext

# IPv4 inside IPv6 is refused: addresses are compared without it.
ADDRESSES = st.ip_addresses().filter(lambda address: not getattr(address, "ipv4_mapped", None))
schemathesis.openapi.format("ip-network", ADDRESSES.map(str))

OWN_KEY, OWN_SERVICE = os.environ["FUZZ_KEY_ID"], "platform"
LONGEST_QUERY = 7500
ENDINGS = ("/revoke", "/disable", "/rotate")


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Be a key in one header: beside it, a bad cookie or a second header of another kind would mean nothing."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            is_in_body = {} in operation["security"]
            operation["security"] = [{} if is_in_body else {"bearer": []}]


@schemathesis.hook
def filter_headers(context: HookContext, headers: dict[str, str] | None) -> bool:
    """Leave out names that the server in front of Django refuses by itself, in HTML."""
    return all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in headers or ())


@schemathesis.hook
def filter_query(context: HookContext, query: dict[str, Any] | None) -> bool:
    """Leave out request lines that are too long for the server in front of Django: its 414 is its own as well."""
    return len(urlencode(query or {}, doseq=True)) < LONGEST_QUERY


@schemathesis.hook
def filter_case(context: HookContext, case: Case) -> bool:
    """Leave the key that fuzzes, and its service, alone: without them every further call would be a 401."""
    named: dict[str, Any] = case.path_parameters or {}
    is_ending = case.path.endswith(ENDINGS) or case.method.upper() in {"DELETE", "PATCH"}
    return not (is_ending and (named.get("key_id") == OWN_KEY or named.get("service_id") == OWN_SERVICE))
