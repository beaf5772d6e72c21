"""Who may do what: every caller, key or staff, times every operation on a thing of its own service and a foreign one.

A key of ``platform`` acts for every service; a key issuer of staff is listed by ``batch``.
"""

import pytest

from apikeys.models import AuditEvent
from tests.apikeys.api.conftest import ROLES

# What a call must come to: "yes", "no" (403) or "unseen" (404).
CALLERS = {
    **{f"batch {word}": (word, "batch") for word in ("reader", "key reader", "key writer", "auditor", "watcher")},
    "platform key reader": ("key reader", "platform"),
    "platform operator": ("operator", "platform"),
    **{f"staff {role}": (role, "") for role in ROLES},
    "staff of no group": ("no group", ""),
}
WHY = {"reason": "why"}
OPERATIONS = {
    "list services": ("GET", "/services", None),
    "see service": ("GET", "/services/{service}", None),
    "change service": ("PATCH", "/services/{service}", {"owner": "new"}),
    "disable service": ("POST", "/services/{service}/disable", WHY),
    "register service": ("POST", "/services", {"service_id": "new"}),
    "list keys": ("GET", "/keys", None),
    "see key": ("GET", "/keys/{key}", None),
    "issue key": ("POST", "/keys", {"name": "new", "scopes": ["mlflow:read"]}),
    "change key": ("PATCH", "/keys/{key}", {"note": "new"}),
    "rotate key": ("POST", "/keys/{key}/rotate", {}),
    "revoke key": ("POST", "/keys/{key}/revoke", WHY),
    "delete key": ("DELETE", "/keys/{key}", None),
    "disable key": ("POST", "/keys/{key}/disable", WHY),
}
READING = {"list services", "see service", "list keys", "see key"}
GENERAL = {"list services", "list keys", "register service"}
OF_SERVICES = {"change service", "disable service", "register service"}
OF_KEYS = OPERATIONS.keys() - READING - OF_SERVICES
# By caller: what it may do to a thing of batch, and to one of platform; the rest is "no", unless the thing is unseen.
OWN = {
    "batch key reader": READING,
    "batch key writer": READING | OF_KEYS,
    "platform key reader": READING,
    "platform operator": OPERATIONS.keys(),
    "staff viewer": READING,
    "staff auditor": READING,
    "staff key issuer": READING | OF_KEYS,
    "staff administrator": OPERATIONS.keys(),
}
FOREIGN = {name: may for name, may in OWN.items() if not name.startswith("batch") and name != "staff key issuer"}
# Those who may ask at all, and see nothing of another service.
NARROW = {"batch key reader", "batch key writer", "staff key issuer"}


def expected(name, operation, is_own):
    if operation in GENERAL:
        return "yes" if operation in OWN.get(name, ()) else "no"
    if operation in (OWN if is_own else FOREIGN).get(name, ()):
        return "yes"
    if not is_own and name in NARROW and operation in OWN[name]:
        return "unseen"
    if not is_own and name == "batch key writer" and operation in OF_SERVICES:
        return "unseen"
    return "no"


@pytest.mark.parametrize("is_own", [True, False], ids=["batch", "platform"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", CALLERS)
def test_caller_may_do_what_its_scopes_or_groups_say(caller, issue, batch, platform, name, operation, is_own):
    who = caller(*CALLERS[name])
    service = batch if is_own else platform
    key = issue(service=service, words=["mlflow:read"]).row.public_id
    method, path, sent = OPERATIONS[operation]
    sent = sent | {"service_id": service.service_id} if operation == "issue key" else sent
    path = path.format(service=service, key=key)
    status = who.ask(method, path, sent, If_Match="*").status_code
    outcome = {403: "no", 404: "unseen"}.get(status, "yes" if status < 300 else status)
    assert outcome == expected(name, operation, is_own)
    denials = AuditEvent.objects.filter(action="admin_denied").values_list("actor", "after")
    told = [(who.user.username, {"method": method, "path": f"/api/v1{path}"})] if who.user and outcome == "no" else []
    assert list(denials) == told
