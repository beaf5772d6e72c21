"""canary-key: a key planted wherever a caller can put one is found in no log and no table afterwards."""

import base64
import contextlib
import http.client
import sqlite3

import pytest

from apikeys.keys import parse
from tests.mlflow_proxy.portal import Portal, eventually
from tests.mlflow_proxy.samples import scrape
from tests.mlflow_proxy.stub import Stub, ok
from tests.mlflow_proxy.wire import CREATE, FILES, SEARCH, M, call, head, send_raw


def plant(served: Portal, key: str) -> None:
    """Send the key in every carrier, alone and beside a good credential."""
    basic = base64.b64encode(f"platform:{key}".encode()).decode()
    carriers = [
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer  {key}"},
        {"Authorization": f"ApiKey {key}"},
        {"Authorization": f"Basic {basic}"},
        {"Authorization": f"Digest {key}"},
        {"Authorization": f"Digest {basic}"},
        {"Authorization": key},
        {"Authorization": f"Bearer {key}x"},
        {"Authorization": f"Bearer {key[:-8]}"},
        {"X-API-Key": key},
        {"X-API-Key": basic},
        {"Authorization": f"Bearer {key}", "X-API-Key": f"{key}x"},
    ]
    for carrier in carriers:
        for target in (SEARCH, f"{M}/nowhere"):
            call(served, "GET", target, who=None, headers=carrier)
    good = {"Authorization": f"Bearer {key}"}
    for name in ("User-Agent", "Referer", "Origin", "Cookie", "X-Request-ID", "X-Correlation-ID", "X-Forwarded-For"):
        call(served, "GET", SEARCH, who=None, headers=good | {name: key})
    for name in ("Accept", "Content-Type", "If-None-Match", "Range", "X-MLflow-Client-Version", f"X-{key}"):
        call(served, "GET", SEARCH, who=None, headers={name: key})
        call(served, "GET", SEARCH, who=None, headers=good | {name: key})
    for target in (
        *(f"{SEARCH}&api_key={key}", f"{SEARCH}&x={key}", f"{SEARCH}&{key}=x", f"{SEARCH}&token=Bearer%20{key}"),
        *(f"{M}/{key}", f"{M}/{key}/../x", f"{FILES}/{key}", f"/{key}", f"/?api_key={key}", f"/admin/{key}"),
        *(f"{M}/{key}%2530", f"{SEARCH}&a={key.replace('_', '%5F')}", f"{M}/{key.replace('_', '%5f')}"),
    ):
        call(served, "GET", target, who=None)
        call(served, "GET", target, who=None, headers=good)
    call(served, "POST", CREATE, who=None, headers=good, body=f'{{"name": "{key}"}}'.encode())
    call(served, "PUT", f"{FILES}/a", who=None, headers=good, body=key.encode())
    for lines in ((f"{key}: x",), (f"X-A: {key}\x00",), (f"Transfer-Encoding: {key}",), (f"Content-Length: {key}",)):
        send_raw(served, head(served, f"GET {SEARCH} HTTP/1.1", *lines))
    send_raw(served, head(served, f"GET {SEARCH} HTTP/{key}"))
    send_raw(served, head(served, f"{key} {SEARCH} HTTP/1.1"))
    send_raw(served, head(served, f"GET {SEARCH} HTTP/1.1", host=key))
    send_raw(served, head(served, f"GET {M}/{key} HTTP/1.1", f"X_{key}: {key}"))


@pytest.fixture(scope="module")
def planted(_served_for_the_session, _stub_for_the_session):
    """The key, after it was sent in every way to an upstream in every state."""
    served, upstream = _served_for_the_session, _stub_for_the_session
    upstream.reset()
    key = served.home.issue("canary", "--preset", "operator")
    garbled = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
    error = ok(f'{{"error_code":"INTERNAL_ERROR","message":"{key}"}}'.encode(), status="500 No")
    for answer in (ok(), garbled, error, ok(key.encode(), "Content-Type: text/html", status="404 No")):
        upstream.reset()
        upstream.reply(answer)
        plant(served, key)
    with upstream.not_listening():
        plant(served, key)
    upstream.reply(ok(bytes(10_000))[:-1], then="close")
    with contextlib.suppress(http.client.HTTPException, OSError):
        call(served, "GET", f"{FILES}/{key}", who="canary")
    upstream.reset()
    # The last use is what the database keeps: let it be one that names the key.
    before = _last_used(served, parse(key).public_id)
    call(served, "GET", SEARCH, who="canary", headers={"User-Agent": key})
    eventually(lambda: _last_used(served, parse(key).public_id) != before, "the last use was never written")
    return key


def _last_used(served: Portal, public_id: str) -> object:
    with contextlib.closing(sqlite3.connect(served.home.folder / "portal.sqlite3")) as database:
        query = "SELECT last_used_at FROM apikeys_apikey WHERE public_id = ?"
        return database.execute(query, [public_id]).fetchone()[0]


def secrets_of(key: str) -> dict[str, str]:
    """What must not be found: the secret part, and the Basic credentials that hold it."""
    secret = key.removeprefix(parse(key).public_id)[:34]
    forms = {user: base64.b64encode(f"{user}:{key}".encode()).decode() for user in ("platform", "__token__")}
    return {"secret": secret, "tail": secret[-20:]} | {name: form[-60:].rstrip("=") for name, form in forms.items()}


def test_canary_key_is_not_in_the_log(planted: str, served: Portal, upstream: Stub) -> None:
    lines = served.log.lower().splitlines()
    found = [(name, line) for name, text in secrets_of(planted).items() for line in lines if text.lower() in line]
    assert found == []


def test_canary_key_is_not_in_the_database(planted: str, served: Portal, upstream: Stub) -> None:
    files = served.home.folder.glob("portal.sqlite3*")
    content = b"".join(path.read_bytes() for path in files).lower()
    assert [name for name, text in secrets_of(planted).items() if text.lower().encode() in content] == []


def test_canary_key_is_in_no_metric(planted: str, served: Portal, upstream: Stub) -> None:
    text = scrape(served).lower()
    assert [name for name, secret in secrets_of(planted).items() if secret.lower() in text] == []
    assert parse(planted).public_id.lower() not in text


def test_canary_key_is_in_the_log_by_its_public_id(planted: str, served: Portal, upstream: Stub) -> None:
    assert parse(planted).public_id in served.log
