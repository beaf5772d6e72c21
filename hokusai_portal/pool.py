"""How long a process waits for a connection to PostgreSQL; makes none."""

from django.db import connections

from apikeys import patience

# Seconds to hand a connection out, and for one attempt at it with its repetitions, whose pauses double.
# For commands: a database that restarts is no reason to fail a person, nor is a name server that is silent, each of
# which costs five seconds before the next is asked (resolv.conf(5)).
UNHURRIED = {"timeout": 20.0, "reconnect_timeout": 20.0}
# For servers: given up, the next caller begins anew, and a recovery shows in seconds.
HURRIED = {"timeout": patience.CALL_SECONDS, "reconnect_timeout": 3.0}


def hurry() -> None:
    """Let this process wait no longer than a call may; to be said before it asks for its first connection."""
    options = connections["default"].settings_dict["OPTIONS"]
    if "pool" in options:
        options["pool"].update(HURRIED)
