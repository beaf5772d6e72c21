"""Calls a portal's REST API, and turns whatever comes instead of a good reply into one sentence; prints no result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from hokusai_portal_client import __version__
from hokusai_portal_client.endings import FAILED, REFUSED, UNAVAILABLE, PortalError
from hokusai_portal_client.output import clean, warn

if TYPE_CHECKING:
    import argparse

    from hokusai_portal_client.accounts import Account

CONNECT_SECONDS, READ_SECONDS = 10, 60
DOCTOR = "See: hokusai-portal doctor"
AUTHORITY = "Name its authority: --ca-bundle FILE"


class Portal:
    """Calls a portal with a key, and takes nothing else from this machine's environment."""

    def __init__(self, account: Account, arguments: argparse.Namespace) -> None:
        self.account, self.authorities = account, arguments.ca_bundle or DEFAULT_CA_BUNDLE_PATH
        self._has_warned = False
        self._session = requests.Session()
        # No netrc, no proxy and no authorities that nobody named here.
        self._session.trust_env = False
        self._session.verify = self.authorities
        self._session.headers["User-Agent"] = f"hokusai-portal/{__version__}"
        if arguments.proxy:
            self._session.proxies = dict.fromkeys(("http", "https"), arguments.proxy)

    def call(self, method: str, path: str, *, is_known: bool = True, **more: Any) -> dict[str, Any]:
        """Return the document of a good reply; raises PortalError with what the portal says, or what stands between."""
        headers = {"Authorization": f"Bearer {self.account.key}"} if is_known else {}
        try:
            reply = self._session.request(
                method,
                f"{self.account.url}{path}",
                headers={"Accept": "application/json", **headers},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                **more,
            )
        except requests.exceptions.SSLError:
            raise PortalError("The certificate is not trusted here.", FAILED, hint=AUTHORITY) from None
        except (requests.RequestException, OSError) as error:
            raise PortalError(f"No answer: {type(error).__name__}.", UNAVAILABLE, hint=DOCTOR) from None
        self._warn_of_end(reply)
        return _document_of(reply)

    def _warn_of_end(self, reply: requests.Response) -> None:
        ends_at = reply.headers.get("X-Hokusai-Key-Expires")
        if ends_at and not self._has_warned:
            self._has_warned = True
            cure = (
                "It has a successor: use that" if "Deprecation" in reply.headers else "See: hokusai-portal keys rotate"
            )
            warn(f"the key ends {clean(ends_at)}. {cure}.")


def _document_of(reply: requests.Response) -> dict[str, Any]:
    try:
        document = reply.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and reply.status_code < 300:
        return document
    if isinstance(document, dict) and "reason" in document and "request_id" in document:
        raise _refusal(reply.status_code, document)
    status = UNAVAILABLE if reply.status_code >= 500 else FAILED
    where = urlsplit(reply.headers.get("Location", "")).netloc if reply.is_redirect else ""
    told = f"Status {reply.status_code}{f' to {clean(where)}' if where else ''}, and not from the portal."
    raise PortalError(told, status, hint=f"Is the address right? {DOCTOR}")


def _refusal(status: int, document: dict[str, Any]) -> PortalError:
    """Return the portal's own words (RFC 9457, or MLflow's form on its paths) as one sentence."""
    sentence = str(document.get("detail") or document.get("message") or document.get("title") or "Refused.")
    errors = [
        f"{each.get('field')}: {each.get('message')}" for each in document.get("errors") or [] if each.get("field")
    ]
    told = " ".join([sentence, *(each for each in errors if each not in sentence)])
    ending = REFUSED if status in {401, 403} else UNAVAILABLE if status == 429 or status >= 500 else FAILED
    reason = str(document["reason"])
    return PortalError(
        f"{clean(told)} ({clean(reason)}, request id {clean(document['request_id'])})", ending, reason=reason
    )
