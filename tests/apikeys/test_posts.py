"""The post of a webhook: to the address that was judged, under the URL's name, once, and never for long."""

import datetime
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer

from apikeys import posts
from apikeys.destinations import Destination
from apikeys.posts import UndeliveredError
from tests.mlflow_proxy.stub import Answer, Stub, ok

NAME = "hooks.example.org"
HEADERS = {"webhook-id": "msg_1"}


@pytest.fixture
def receiver():
    stub = Stub()
    yield stub
    stub.stop()


def destination(port, scheme="http", host=NAME):
    return Destination(scheme, host, port, f"{host}:{port}", "/hook?x=y", "127.0.0.1")


def refusal(port, **facts):
    with pytest.raises(UndeliveredError) as refused:
        posts.send(destination(port, **facts), b"{}", HEADERS)
    return str(refused.value), refused.value.status


def test_post_goes_to_the_address_under_the_name(receiver):
    assert posts.send(destination(receiver.port), b"{}", HEADERS) == 200
    (seen,) = receiver.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/hook?x=y", b"{}")
    assert seen.header("Host") == f"{NAME}:{receiver.port}"
    assert (seen.header("Content-Type"), seen.header("webhook-id")) == ("application/json", "msg_1")


def test_post_carries_nothing_of_the_environment(receiver, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {NAME} login a password b\n")
    netrc.chmod(0o600)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(netrc))
    posts.send(destination(receiver.port), b"{}", HEADERS)
    assert receiver.seen[0].header("Authorization") is None


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_post_follows_no_redirect(receiver, status):
    receiver.reply(ok(b"", f"Location: {receiver.url}/elsewhere", status=status))
    assert refusal(receiver.port) == (f"status {status[:3]}", int(status[:3]))
    assert len(receiver.seen) == 1


@pytest.mark.parametrize("status", ["400 No", "410 Gone", "429 Slow", "500 No", "503 No"])
def test_post_that_is_not_taken_tells_the_status_and_nothing_of_the_body(receiver, status):
    receiver.reply(ok(b"secret of theirs", status=status))
    assert refusal(receiver.port) == (f"status {status[:3]}", int(status[:3]))


def test_post_does_not_wait_for_the_answers_body(receiver):
    receiver.reply(b"HTTP/1.1 204 No Content\r\nContent-Length: 1000000\r\n\r\nx", then="hang")
    assert posts.send(destination(receiver.port), b"{}", HEADERS) == 204


def test_post_where_nothing_listens(receiver):
    with receiver.not_listening():
        assert refusal(receiver.port) == ("nothing listens there", None)


def test_post_that_is_not_answered_is_given_up(receiver, monkeypatch):
    monkeypatch.setattr(posts, "READ_SECONDS", 0.2)
    receiver.reply(then="hang")
    assert refusal(receiver.port) == ("no answer in time", None)


def test_post_to_one_who_trickles_is_cut_at_the_deadline(receiver, monkeypatch):
    monkeypatch.setattr(posts, "WHOLE_SECONDS", 0.3)
    gone = threading.Event()

    def trickle():
        yield b"HTTP/1.1 200 OK\r\nX: "
        while not gone.is_set():
            time.sleep(0.02)
            yield b"x"

    receiver.script = lambda _: Answer(trickle())
    try:
        assert refusal(receiver.port) == ("no answer in time", None)
    finally:
        gone.set()


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000])
def test_post_with_a_broken_answer_tells_its_kind_alone(receiver, answer):
    receiver.reply(answer, then="close")
    told, status = refusal(receiver.port)
    assert told.startswith("broken off: ")
    assert (status, "nonsense" in told) == (None, False)


# TLS: the name that a certificate must carry is the URL's, whatever address is connected to.


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for NAME, signed by itself: (the file of certificate and key)."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, False, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(authority, settings):
    """A receiver behind TLS, whose authority the portal trusts; it notes the names that it was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    asked = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context)
    server.expect_request("/hook").respond_with_data("", status=202)
    server.start()
    server.asked = asked
    settings.HOKUSAI_CLIENT_ENVIRONMENT = {"SSL_CERT_FILE": str(authority)}
    yield server
    server.stop()


def test_post_over_tls_asks_for_and_verifies_the_urls_name(secure):
    assert posts.send(destination(secure.port, "https"), b"{}", HEADERS) == 202
    assert secure.asked == [NAME]


def test_post_over_tls_with_another_name_is_refused(secure):
    told, _ = refusal(secure.port, scheme="https", host="other.example.org")
    assert told.startswith("certificate: ")
    assert secure.log == []


def test_post_over_tls_of_an_unknown_authority_is_refused(secure, settings):
    settings.HOKUSAI_CLIENT_ENVIRONMENT = {}
    told, _ = refusal(secure.port, scheme="https")
    assert told.startswith("certificate: ")
    assert secure.log == []


def test_post_over_tls_to_one_who_never_speaks_is_cut_at_the_deadline(receiver, monkeypatch):
    monkeypatch.setattr(posts, "WHOLE_SECONDS", 0.3)
    receiver.reply(then="hang")
    assert refusal(receiver.port, scheme="https") == ("no answer in time", None)
