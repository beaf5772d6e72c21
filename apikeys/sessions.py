"""Sessions of staff: Django's own, which also end after an hour unused and eight hours in all; decides no right.

Whoever reads a session, screen or health page, comes through ``load``. That a deactivated account and a changed
password end sessions is Django's doing (django.contrib.auth.get_user).
"""

import time
from typing import Any

from django.contrib.sessions.backends import db

IDLE_SECONDS = 3600
WHOLE_SECONDS = 8 * 3600
# A write for every page would buy nothing.
NOTED_EVERY_SECONDS = 60
BEGAN, SEEN = "_began_at", "_seen_at"
# In a session: the host that it began on, where that is not the portal's own. It browses MLflow and opens nothing else.
UI_HOST_MARK = "ui_host"


class SessionStore(db.SessionStore):
    """Kept in the database; ``SESSION_ENGINE`` names this module."""

    def load(self) -> dict[str, Any]:
        """Return what the session holds; nothing, and the row is gone, when it is over."""
        data: dict[str, Any] = super().load()
        now = time.time()
        if not data:
            return data
        if now - data.get(SEEN, now) > IDLE_SECONDS or now - data.get(BEGAN, now) > WHOLE_SECONDS:
            self.delete()
            self._session_key = None
            return {}
        if now - data.get(SEEN, 0) > NOTED_EVERY_SECONDS:
            data[SEEN] = now
            data.setdefault(BEGAN, now)
            self.modified = True
        return data
