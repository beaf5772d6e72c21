"""Environment: typed, secrets from files, and every mistake named at once, before anything starts."""

import json
import os
import subprocess
import sys

import pytest

from hokusai_portal import env

LONG = "0123456789abcdef" * 4
PRODUCTION = {
    "HOKUSAI_ENVIRONMENT": "production",
    "HOKUSAI_SECRET_KEY": LONG,
    "HOKUSAI_KEY_PEPPERS": f"1:{LONG}",
    "DATABASE_URL": "postgres://portal:s3cret@db.invalid/portal",
    "HOKUSAI_PUBLIC_URL": "https://registry.example.org",
}


@pytest.fixture
def start(tmp_path):
    """Import the module in a process of its own and return what it finished with."""

    def run(code="", **variables):
        whole = {"PATH": os.environ["PATH"], "HOKUSAI_DATA_DIR": str(tmp_path)} | variables
        command = [sys.executable, "-c", f"import json\nfrom hokusai_portal import env\n{code}"]
        return subprocess.run(command, cwd=env.BASE_DIR, env=whole, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def value_of(start):
    def read(name, **variables):
        finished = start(f"print(json.dumps(env.{name}, default=str))", **variables)
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)

    return read


@pytest.fixture
def complaints(start):
    """What a start says that was refused: one line a variable."""

    def read(**variables):
        finished = start(**variables)
        assert finished.returncode == 1
        heading, *lines = finished.stderr.splitlines()
        assert heading == "The portal cannot start:"
        return {name.strip(): reason for name, _, reason in (line.partition(": ") for line in lines)}

    return read


def test_start_without_any_variable_works(start):
    assert start().returncode == 0


def test_value_is_typed(value_of):
    assert value_of("PORTAL_PORT", PORTAL_PORT="9000") == 9000
    assert value_of("CORS_ORIGINS", HOKUSAI_CORS_ORIGINS="https://a.example,https://b.example") == [
        *("https://a.example", "https://b.example")
    ]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("1", True), ("off", False)])
def test_boolean_words_are_understood(value_of, text, value):
    assert value_of("MLFLOW_SERVE_ARTIFACTS", MLFLOW_SERVE_ARTIFACTS=text) is value


def test_upstream_follows_the_embedded_port(value_of):
    assert value_of("MLFLOW_SERVER_URL", MLFLOW_PORT="5055") == "http://127.0.0.1:5055"


@pytest.mark.parametrize("name", ["HOKUSAI_SECRET_KEY", "HOKUSAI_KEY_PEPPERS", "DATABASE_URL"])
def test_secret_from_a_file_is_read(value_of, tmp_path, name):
    (tmp_path / "secret").write_text(f"{PRODUCTION[name]}\n")
    variables = PRODUCTION | {f"{name}_FILE": str(tmp_path / "secret")}
    del variables[name]
    assert value_of(name.removeprefix("HOKUSAI_"), **variables) == PRODUCTION[name]


def test_secret_file_that_is_missing_is_named(start, tmp_path):
    finished = start(HOKUSAI_SECRET_KEY_FILE=str(tmp_path / "nowhere"))
    assert finished.returncode == 1
    assert "HOKUSAI_SECRET_KEY_FILE" in finished.stderr


def test_secret_file_that_is_missing_is_told_without_a_traceback(start, tmp_path):
    assert "Traceback" not in start(HOKUSAI_SECRET_KEY_FILE=str(tmp_path / "nowhere")).stderr


def test_bad_variables_are_reported_together(complaints):
    told = complaints(PORTAL_PORT="x", HOKUSAI_ENVIRONMENT="staging", MLFLOW_SERVE_ARTIFACTS="flase")
    assert set(told) == {"PORTAL_PORT", "HOKUSAI_ENVIRONMENT", "MLFLOW_SERVE_ARTIFACTS"}


def test_bad_and_missing_variables_are_reported_together(complaints):
    told = complaints(HOKUSAI_ENVIRONMENT="production", PORTAL_PORT="x", HOKUSAI_KEY_PEPPERS="short")
    assert {"PORTAL_PORT", "HOKUSAI_KEY_PEPPERS", "HOKUSAI_SECRET_KEY", "DATABASE_URL"} <= set(told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_PORT", "0"),
        ("PORTAL_PORT", "65536"),
        ("MLFLOW_SERVER_URL", "mlflow:5000"),
        ("MLFLOW_SERVER_URL", "http://mlflow:5000/path"),
        ("MLFLOW_SERVER_URL", "http://mlflow:port"),
        ("MLFLOW_SERVER_URL", "http://:5000"),
        ("MLFLOW_SERVER_URL", "http://user:word@mlflow:5000"),
        ("MLFLOW_STATIC_PREFIX", "mlflow"),
        ("MLFLOW_STATIC_PREFIX", "/mlflow/"),
        ("HOKUSAI_TRUSTED_PROXIES", "10.0.0.0/8,nonsense"),
        ("HOKUSAI_KEY_PEPPERS", "1:short"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgres://portal:s3#cret@db/portal"),
        ("HOKUSAI_LOG_LEVEL", "LOUD"),
        ("HOKUSAI_KEY_MAX_DAYS", "0"),
        ("HOKUSAI_USAGE_FLUSH_SECONDS", "soon"),
        ("HOKUSAI_STORAGE_CHECK_SECONDS", "1"),
        ("HOKUSAI_ALERT_EMAILS", "ops@example.org,nonsense"),
        ("HOKUSAI_ALERT_WEBHOOK_URL", "hooks.example.org/x"),
        ("HOKUSAI_ALERT_WEBHOOK_URL", "https://user:pass@hooks.example.org/x"),
        ("HOKUSAI_WEBHOOK_NETWORKS", "inside"),
        ("HOKUSAI_SMTP_URL", "mail.example.org"),
        ("HOKUSAI_SMTP_URL", "http://mail.example.org"),
        ("HOKUSAI_SMTP_URL", "smtp://u:p#x@mail.example.org:25"),
    ],
)
def test_bad_value_is_named(complaints, name, value):
    assert set(complaints(**{name: value})) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOKUSAI_KEY_PEPPERS", "1:hunter2"),
        ("DATABASE_URL", "postgres://portal:hunter2#x@db/portal"),
        ("HOKUSAI_SMTP_URL", "smtp://portal:hunter2#x@mail"),
        ("HOKUSAI_ALERT_WEBHOOK_SECRET", "hunter2"),
    ],
)
def test_bad_secret_is_not_repeated(start, name, value):
    assert "hunter2" not in start(**{name: value}).stderr


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"HOKUSAI_ENVIRONMENT"}))
def test_production_requires_each_name(complaints, name):
    told = complaints(**{other: value for other, value in PRODUCTION.items() if other != name})
    assert set(told) == {name}
    assert "is missing; set it to" in told[name]


def test_production_names_all_missing_ones_together(complaints):
    assert set(complaints(HOKUSAI_ENVIRONMENT="production")) == PRODUCTION.keys() - {"HOKUSAI_ENVIRONMENT"}


def test_production_complete_starts(start):
    assert start(**PRODUCTION).returncode == 0


def test_production_makes_up_no_secret(start, tmp_path):
    start(**PRODUCTION)
    assert not (tmp_path / "secrets").exists()


def test_production_short_secret_key_is_refused(complaints):
    assert set(complaints(**PRODUCTION | {"HOKUSAI_SECRET_KEY": "short"})) == {"HOKUSAI_SECRET_KEY"}


def test_alert_mails_without_a_mail_server_are_refused(complaints):
    assert "HOKUSAI_SMTP_URL" in complaints(HOKUSAI_ALERT_EMAILS="ops@example.org")["HOKUSAI_ALERT_EMAILS"]


@pytest.mark.parametrize("secret", ["", "too short"])
def test_webhook_without_a_secret_is_refused(complaints, secret):
    found = complaints(HOKUSAI_ALERT_WEBHOOK_URL="https://hooks.example.org/x", HOKUSAI_ALERT_WEBHOOK_SECRET=secret)
    assert list(found) == ["HOKUSAI_ALERT_WEBHOOK_SECRET"]


@pytest.mark.parametrize(
    ("url", "port", "tls", "ssl"),
    [
        ("submission://u:p%40ss@mail.example.org", 587, True, False),
        ("smtp://mail.example.org:2525", 2525, False, False),
        ("smtp://u:p%40ss@mail.example.org:465/?ssl=True", 465, False, True),
    ],
)
def test_mail_server_of_the_url_becomes_the_mailer(start, url, port, tls, ssl):
    code = "from hokusai_portal import settings; print(json.dumps(settings.MAILERS['default']['OPTIONS']))"
    options = json.loads(start(code, HOKUSAI_SMTP_URL=url).stdout)
    assert (options["host"], options["port"]) == ("mail.example.org", port)
    assert (options["use_tls"], options["use_ssl"]) == (tls, ssl)
    assert options["password"] == ("p@ss" if "@mail" in url else "")


def test_default_lifetime_beyond_the_maximum_is_refused(complaints):
    told = complaints(HOKUSAI_KEY_DEFAULT_DAYS="90", HOKUSAI_KEY_MAX_DAYS="30")
    assert set(told) == {"HOKUSAI_KEY_DEFAULT_DAYS"}


def test_embedded_secret_is_kept_from_start_to_start(value_of):
    assert value_of("SECRET_KEY") == value_of("SECRET_KEY")


def test_embedded_secrets_differ_and_are_for_the_owner_alone(start, tmp_path):
    start()
    files = sorted((tmp_path / "secrets").iterdir())
    assert [file.name for file in files] == ["key_pepper", "secret_key"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert len({file.read_text() for file in files}) == 2


def test_names_of_the_predecessor_are_found_with_what_took_their_place(value_of):
    told = value_of("LEGACY_NAMES_SET", SECRET_KEY="x", DNS_TTL="1", BCRYPT_ROUNDS="12", REDIS_HOST="cache")
    assert told == {"SECRET_KEY": "HOKUSAI_SECRET_KEY", "DNS_TTL": "", "BCRYPT_ROUNDS": "", "REDIS_HOST": "REDIS_URL"}


def test_child_environment_carries_no_client_steering(start):
    code = "print('MLFLOW_TRACKING_URI' in env.child_environment(), env.child_environment(A='1')['A'])"
    assert start(code, MLFLOW_TRACKING_URI="http://other").stdout.split() == ["False", "1"]


def test_settings_debug_is_off_whatever_is_set(start):
    code = "env.use_settings()\nfrom django.conf import settings\nprint(settings.DEBUG)"
    assert start(code, DEBUG="true", DJANGO_DEBUG="1", HOKUSAI_DEBUG="1").stdout.strip() == "False"


def test_settings_of_production_pass_the_deployment_check(tmp_path):
    variables = {"PATH": os.environ["PATH"], "HOKUSAI_DATA_DIR": str(tmp_path)} | PRODUCTION
    variables |= {"HOKUSAI_SECRET_KEY": "aB3-" + LONG, "HOKUSAI_UI_HOST": "mlflow.example.org"}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=env.BASE_DIR, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_environment_is_read_in_one_module_alone():
    readers = [
        path.relative_to(env.BASE_DIR).as_posix()
        for package in ("apikeys", "mlflow_proxy", "hokusai_portal")
        for path in (env.BASE_DIR / package).rglob("*.py")
        if "os.environ" in (text := path.read_text()) or "getenv" in text
    ]
    assert set(readers) - {"hokusai_portal/wsgi.py"} == {"hokusai_portal/env.py"}


PUBLIC = {"HOKUSAI_PUBLIC_URL": "https://registry.example.org"}


def test_host_of_the_interface_is_lower_case_and_allowed(start):
    code = "from hokusai_portal import settings; print(env.UI_HOST, settings.ALLOWED_HOSTS)"
    finished = start(code, HOKUSAI_UI_HOST="Mlflow.example.org:8443", **PUBLIC)
    assert finished.stdout.strip() == "mlflow.example.org:8443 ['registry.example.org', 'mlflow.example.org']"


def test_host_of_the_interface_leaves_the_usual_port_out(value_of):
    assert value_of("UI_HOST", HOKUSAI_UI_HOST="mlflow.example.org:443", **PUBLIC) == "mlflow.example.org"


@pytest.mark.parametrize(
    "host", ["https://mlflow.example.org", "mlflow.example.org/", "a b", "user@host", "host:port", "host:0", "?"]
)
def test_host_of_the_interface_that_is_none_is_refused(complaints, host):
    assert complaints(HOKUSAI_UI_HOST=host, **PUBLIC).keys() == {"HOKUSAI_UI_HOST"}


@pytest.mark.parametrize("host", ["registry.example.org", "REGISTRY.example.org", "registry.example.org:8443"])
def test_host_of_the_interface_that_is_the_portals_is_refused(complaints, host):
    assert "name of its own" in complaints(HOKUSAI_UI_HOST=host, **PUBLIC)["HOKUSAI_UI_HOST"]


def test_host_of_the_interface_without_a_public_url_is_refused(complaints):
    assert "HOKUSAI_PUBLIC_URL" in complaints(HOKUSAI_UI_HOST="mlflow.example.org")["HOKUSAI_UI_HOST"]
