"""The first hops from outside: a name, a connection, a certificate; sends no request."""

import socket
import ssl
from datetime import UTC, datetime
from urllib.parse import SplitResult

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from mlflow_proxy import conf
from mlflow_proxy.health.answers import Outcome, failed, passed

SECONDS = 10.0
# By OpenSSL's numbers (x509_vfy.h), which stay while its sentences change.
CERTIFICATE_HINTS = {
    10: "The certificate has expired. Renew it.",
    18: "The certificate is self-signed. Use one of an authority that callers trust.",
    19: "The authority is not trusted here: name its file in REQUESTS_CA_BUNDLE, as clients must.",
    20: "The authority is not known here, or the server does not send the whole chain.",
    62: "The certificate is for another name.",
}


def port_of(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def resolve(url: SplitResult) -> Outcome:
    try:
        found = socket.getaddrinfo(url.hostname, port_of(url), type=socket.SOCK_STREAM)
    except OSError as error:
        return failed("NAME_UNKNOWN", f"{url.hostname}: {error.strerror}", "Correct the name, or its entry in the DNS.")
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    return passed(f"{url.hostname} is {', '.join(addresses[:4])}")


def connect(url: SplitResult) -> Outcome:
    try:
        with socket.create_connection((url.hostname or "", port_of(url)), SECONDS) as connection:
            peer = connection.getpeername()
    except TimeoutError:
        hint = "Nothing answers. Look at security groups, firewalls, and whether this network may reach it at all."
        return failed("CONNECTION_TIMED_OUT", f"port {port_of(url)}", hint)
    except OSError as error:
        hint = "Nothing listens there: is the front proxy, or the portal, running, and is it this port?"
        return failed("CONNECTION_REFUSED", f"port {port_of(url)}: {error.strerror}", hint)
    return passed(f"{peer[0]} port {peer[1]}")


def handshake(url: SplitResult) -> Outcome:
    """Verify the certificate with the authorities that a client here would use."""
    bundle = conf.authorities()
    context = ssl.create_default_context(cafile=bundle if isinstance(bundle, str) else DEFAULT_CA_BUNDLE_PATH)
    try:
        with (
            socket.create_connection((url.hostname or "", port_of(url)), SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=url.hostname) as secured,
        ):
            ends = str((secured.getpeercert() or {})["notAfter"])
            ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), tz=UTC)
            return passed(f"{secured.version()}, certificate until {ends_at:%Y-%m-%d}")
    except ssl.SSLCertVerificationError as error:
        hint = CERTIFICATE_HINTS.get(error.verify_code, "See the certificate of the front proxy.")
        return failed("TLS_INVALID", error.verify_message, hint)
    except OSError as error:
        hint = "What listens there speaks no TLS, or none that is current. Is https meant?"
        return failed("TLS_INVALID", error.strerror or type(error).__name__, hint)
