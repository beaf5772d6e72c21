"""The cast of the interface's tests: people with and without its rights, and the browser that each of them uses."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from mlflow_proxy import upstream as upstream_module
from tests.conftest import PortalClient
from tests.mlflow_proxy.stub import Answer, Stub, ok

ORIGIN = "http://testserver"
VIEW, EDIT = "view_mlflow_ui", "edit_mlflow_ui"


class Browser(PortalClient):
    """Sends what the interface's own pages make a browser send, unless told otherwise."""

    def fetch(self, method: str, path: str, body: bytes | None = None, **changes: str | None) -> Any:
        """Make a call of a script; a header is left out by None."""
        own = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty", "Accept": "*/*"}
        if method not in {"GET", "HEAD"}:
            own |= {"Origin": ORIGIN, "Content-Type": "application/json"}
        return self._send(method, path, body, own, changes)

    def open(self, path: str, **changes: str | None) -> Any:
        """Open an address in a tab."""
        own = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}
        return self._send("GET", path, None, own | {"Accept": "text/html,*/*;q=0.8"}, changes)

    def _send(self, method: str, path: str, body: bytes | None, own: dict[str, Any], changes: dict[str, Any]) -> Any:
        headers = own | {name.replace("_", "-"): value for name, value in changes.items()}
        told = {name: value for name, value in headers.items() if value is not None}
        return self.generic(method, path, body or b"", headers=told, content_type=told.get("Content-Type", ""))


def whole(reply: Any) -> bytes:
    return b"".join(reply.streaming_content) if reply.streaming else reply.content


@pytest.fixture
def mlflow(settings: Any) -> Iterator[Stub]:
    """An upstream that counts, for the portal inside this process."""
    stub = Stub(lambda seen: Answer([ok(b"" if seen.method == "HEAD" else b"{}")]))
    settings.MLFLOW_SERVER_URL = stub.url
    yield stub
    stub.stop()
    upstream_module._pool.cache_clear()


@pytest.fixture
def account(db: None) -> Callable[..., User]:
    """A factory of staff who hold the named permissions."""

    def create(*codenames: str, name: str = "alice", **more: Any) -> User:
        user = User.objects.create(username=name, **({"is_staff": True} | more))
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return user

    return create


@pytest.fixture
def browser_of() -> Callable[[User], Browser]:
    def sign_in(user: User) -> Browser:
        browser = Browser()
        browser.force_login(user)
        return browser

    return sign_in


@pytest.fixture
def viewer(account: Any, browser_of: Any) -> Browser:
    """The browser of somebody who may look."""
    return browser_of(account(VIEW, name="viewer"))


@pytest.fixture
def editor(account: Any, browser_of: Any) -> Browser:
    """The browser of somebody who may look and change."""
    return browser_of(account(VIEW, EDIT, name="editor"))


@pytest.fixture
def nobody(account: Any, browser_of: Any) -> Browser:
    """The browser of staff without any right to MLflow."""
    return browser_of(account(name="nobody"))


@pytest.fixture
def stranger_browser(db: None) -> Browser:
    """A browser that is not signed in."""
    return Browser()
