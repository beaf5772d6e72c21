"""compose.yaml as a text: names that exist, one value for what must agree, no default secret, one way in."""

import re
import stat
import subprocess

import pytest
import yaml
from cryptography import x509

from hokusai_portal import env
from mlflow_proxy.artifacts.stores import CANARY_PREFIX
from tests.deploy import names
from tests.docs.documents import ROOT, text

FILE = yaml.safe_load(text("compose.yaml"))
SERVICES = FILE["services"]
OF_THE_PORTAL = ("portal", "worker", "migrate")
EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", text(".env.example"), re.MULTILINE))
NGINX = text("deploy/compose/nginx.conf")


@pytest.mark.parametrize("service", OF_THE_PORTAL)
def test_variable_of_the_portal_exists(service):
    assert names.unknown(SERVICES[service]["environment"], names.PORTAL) == []


def test_variable_of_mlflow_exists():
    assert names.unknown(SERVICES["mlflow"]["environment"], names.MLFLOW) == []


def test_portal_and_mlflow_are_told_the_same():
    portal, mlflow = SERVICES["portal"]["environment"], SERVICES["mlflow"]["environment"]
    assert portal["MLFLOW_SERVER_URL"] == mlflow["MLFLOW_SERVER_URL"]
    assert portal["HOKUSAI_ARTIFACT_DESTINATION"] == mlflow["DEFAULT_ARTIFACT_ROOT"]
    assert portal["HOKUSAI_S3_ENDPOINT_URL"] == mlflow["MLFLOW_S3_ENDPOINT_URL"]
    assert portal["HOKUSAI_WORKSPACES"] == mlflow["HOKUSAI_WORKSPACES"]


def test_portal_is_given_the_time_to_end():
    assert int(SERVICES["portal"]["stop_grace_period"].removesuffix("s")) >= names.END_SECONDS + 5


def test_bucket_ends_versions_of_the_canary():
    rule = text("deploy/compose/bucket.py").partition('"ID": "canaries"')[2]
    assert f'{{prefix}}/{CANARY_PREFIX}"' in rule
    assert '"NoncurrentVersionExpiration": {"NoncurrentDays": 1}' in rule


def test_front_proxy_sends_no_post_twice():
    """nginx repeats what was sent and is no GET, PUT or DELETE only where it is told to."""
    assert "proxy_next_upstream error timeout;" in NGINX


def test_front_proxy_alone_is_published():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["front"]


def test_front_proxy_alone_is_trusted():
    trusted = SERVICES["portal"]["environment"]["HOKUSAI_TRUSTED_PROXIES"]
    assert trusted == SERVICES["front"]["networks"]["edge"]["ipv4_address"]


def test_mlflow_is_reached_by_portal_and_worker_alone():
    assert {name for name, service in SERVICES.items() if "registry" in service["networks"]} == {
        *("portal", "worker", "mlflow"),
    }
    assert FILE["networks"]["registry"]["internal"]


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_no_rights_that_it_does_not_need(name):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


@pytest.mark.parametrize("name", [*OF_THE_PORTAL, "mlflow", "front", "bucket", "cache"])
def test_root_is_read_only(name):
    assert SERVICES[name]["read_only"]


def test_secret_has_no_default():
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?", text("compose.yaml")))
    assert {name for name, value in EXAMPLE.items() if not value} == demanded - {"HOKUSAI_PUBLIC_URL"}
    assert not re.search(r"\$\{[A-Z_]*(SECRET|PASSWORD|PEPPER)[A-Z_]*(:-|\})", text("compose.yaml"))


def test_script_that_the_database_runs_is_executable():
    """The image would read others into its own shell."""
    assert (ROOT / "deploy" / "compose" / "databases.sh").stat().st_mode & stat.S_IXUSR


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_settings(folder, HOKUSAI_PUBLIC_URL="https://registry.example.org:8443")
    return folder


def make_settings(folder, **environment):
    command = ["sh", ROOT / "deploy" / "compose" / "env.sh", folder]
    environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    subprocess.run(command, env=environment, check=True, capture_output=True)


def test_compose_env_makes_each_secret_anew(made):
    values = dict(re.findall(r"^([A-Z_]+)=(.+)$", (made / ".env").read_text(), re.MULTILINE))
    assert values.keys() == EXAMPLE.keys()
    secrets = [value for name, value in values.items() if not EXAMPLE[name]]
    assert len(set(secrets)) == len(secrets)
    assert all(len(secret) >= 64 for secret in secrets)
    assert values["HOKUSAI_PUBLIC_URL"] == "https://registry.example.org:8443"


def test_compose_env_with_a_second_host_puts_it_into_the_certificate(tmp_path):
    url, host = "https://registry.example.org:8443", "mlflow.example.org:8443"
    make_settings(tmp_path, HOKUSAI_PUBLIC_URL=url, HOKUSAI_UI_HOST=host)
    assert f"\nHOKUSAI_UI_HOST={host}\n" in (tmp_path / ".env").read_text()
    certificate = x509.load_pem_x509_certificate((tmp_path / "var/compose/tls/tls.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["registry.example.org", "mlflow.example.org"]


def test_second_host_is_optional(made):
    assert SERVICES["portal"]["environment"]["HOKUSAI_UI_HOST"] == "${HOKUSAI_UI_HOST:-}"
    assert "#HOKUSAI_UI_HOST=" in (made / ".env").read_text()


def test_compose_env_keeps_secrets_to_their_owner(made):
    for path in (".env", "var/compose/tls/tls.key"):
        assert stat.S_IMODE((made / path).stat().st_mode) == 0o600


def test_compose_env_overwrites_nothing(made):
    before = (made / ".env").read_bytes()
    command = ["sh", ROOT / "deploy" / "compose" / "env.sh", made]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, (made / ".env").read_bytes()) == (1, before)


def seconds(directive, block=NGINX):
    return int(re.search(rf"^\s*{directive} (\d+)s;", block, re.MULTILINE)[1])


def test_front_proxy_lets_idle_connections_go_before_the_portal_does():
    gunicorn = int(re.search(r"^keepalive = (\d+)", text("hokusai_portal/gunicorn.conf.py"), re.MULTILINE)[1])
    upstream = NGINX[NGINX.index("upstream portal") :]
    assert seconds("keepalive_timeout", upstream) < gunicorn


def test_front_proxy_is_more_patient_than_the_portal():
    assert seconds("proxy_read_timeout") > env.TRANSFER_TIMEOUT


def test_front_proxy_buffers_no_artifact():
    artifacts = NGINX[NGINX.index('location ~ "artifact') :]
    assert "proxy_request_buffering off;" in artifacts
    assert "proxy_buffering off;" in artifacts
