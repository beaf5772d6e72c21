"""The admin of a real stack as a person uses it, in Chromium: a key's life, the doctor, and what breaks."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import PATIENCE, launched
from tests.live.client import run_client
from tests.live.conftest import Stack
from tests.live.faulty import FaultyProxy
from tests.live.processes import eventually, free_ports
from tests.live.stack import BUCKET, PREFIX, STORE_READER, Portal
from tests.live.test_health import check

pytestmark = pytest.mark.live

WORD = "correct horse battery"
LOG_A_RUN = """
experiment = mlflow.set_experiment("by a person").experiment_id
with mlflow.start_run(experiment_id=experiment):
    mlflow.log_metric("loss", 0.5)
    mlflow.log_text("hello", "notes.txt")
result["done"] = True
"""
TRY_A_CALL = """
try:
    MlflowClient().search_experiments(max_results=1)
except mlflow.exceptions.MlflowException as error:
    result["status"] = error.get_http_status_code()
"""


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Iterator[Portal]:
    """The portal in direct mode with its pages' files, which are looked for when it starts."""
    stack.s3.manage("collectstatic", "--noinput", "--verbosity=0")
    portal = stack.direct_twin(stack.s3, "portal-desk", **stack.store.environment())
    portal.start()
    portal.wait_until_ready()
    yield portal
    portal.end()


@pytest.fixture(scope="module")
def person(browser: Browser, desk: Portal) -> Iterator[BrowserContext]:
    """Somebody with an account of her own, who has signed in."""
    account = {"DJANGO_SUPERUSER_USERNAME": "person", "DJANGO_SUPERUSER_PASSWORD": WORD}
    desk.manage("createsuperuser", "--noinput", DJANGO_SUPERUSER_EMAIL="person@example.org", **account)
    context = browser.new_context(base_url=desk.url)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.url)
    page = context.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill("person")
    page.get_by_label("Password").fill(WORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview").wait_for()
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(person: BrowserContext) -> Iterator[Page]:
    page = person.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


def copied(page: Page) -> str:
    """Copy the key that is shown, and return what is in the clipboard."""
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_text("Copied.").wait_for()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def look_until(page: Page, text: str | re.Pattern[str], within: str = "main") -> None:
    """Look again and again until the page says so: counts are a moment old."""

    def is_told() -> bool:
        page.reload()
        return page.locator(within).get_by_text(text).count() > 0

    assert eventually(is_told, 30), f"{text} is not on {page.url}"


def test_person_sees_a_key_through_its_life(page: Page, desk: Portal) -> None:
    page.goto("/admin/")
    page.get_by_role("link", name="Register a service").click()
    page.get_by_label("Service id").fill("night-training")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("link", name="Issue a key").click()
    page.get_by_label("Name", exact=True).fill("night run")
    page.get_by_role("radio", name=re.compile("^contributor")).check()
    page.get_by_role("button", name="Issue the key").click()
    old = copied(page)

    page.get_by_role("link", name="to the key").click()
    page.get_by_text("no calls").first.wait_for()
    assert run_client(LOG_A_RUN, desk, old) == {"done": True}
    look_until(page, re.compile("^mlflow-python-client/"))
    look_until(page, re.compile(r"^highest \d+"))
    expect(page.get_by_text("127.0.0.0/24")).to_be_visible()

    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("radio", name=re.compile("^1 hour")).check()
    page.get_by_role("button", name="Rotate").click()
    new = copied(page)
    page.get_by_role("link", name="see who still uses the old one").click()
    page.get_by_text("The old key works on").wait_for()
    expect(page.locator("section", has_text="New key")).to_contain_text("never")
    assert run_client(LOG_A_RUN, desk, new) == {"done": True}
    look_until(page, re.compile("^mlflow-python-client/"), "section:has-text('New key')")

    page.get_by_role("link", name="End it now").click()
    page.get_by_label("Reason").fill("nobody uses it")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("is revoked.").wait_for()
    assert run_client(TRY_A_CALL, desk, old) == {"status": 401}
    page.goto("/admin/apikeys/usage/")
    look_until(page, "KEY_REVOKED")
    assert run_client(TRY_A_CALL, desk, new) == {}


def test_person_lets_the_doctor_walk(page: Page) -> None:
    page.goto("/admin/storage-health/")
    page.get_by_role("link", name="Doctor").click()
    page.get_by_role("button", name="Walk now").click()
    page.get_by_text("Every hop of a client's way works.").wait_for(timeout=120_000)
    expect(page.locator(".health-passed")).to_have_count(11)
    page.goto("/admin/apikeys/apikey/?q=hokusai-doctor")
    expect(page.locator("#result_list .chip")).to_have_text("revoked")


# What breaks, and what the person reads.


Environment = dict[str, str]
Break = Callable[[Stack], AbstractContextManager[Environment]]


def settings(**environment: str) -> Break:
    @contextmanager
    def broken(stack: Stack) -> Iterator[Environment]:
        yield environment

    return broken


@contextmanager
def store_that_is_down(stack: Stack) -> Iterator[Environment]:
    (port,) = free_ports(1)
    yield {"HOKUSAI_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


@contextmanager
def store_that_hangs(stack: Stack) -> Iterator[Environment]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield {"HOKUSAI_S3_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}


@contextmanager
def mlflow_that_knows_another_host(stack: Stack) -> Iterator[Environment]:
    # Under this address the Host header names a port that MLflow does not allow.
    proxy = FaultyProxy(stack.s3.mlflow.url)
    proxy.start()
    yield {"MLFLOW_SERVER_URL": proxy.url}
    proxy.end()


BROKEN: dict[str, tuple[Break, str, str]] = {
    "store is down": (
        store_that_is_down,
        "The artifact store cannot be used.",
        "Nothing answers there: see HOKUSAI_S3_ENDPOINT_URL, DNS, and the store itself.",
    ),
    "bucket is another": (
        settings(HOKUSAI_ARTIFACT_DESTINATION="s3://no-such-bucket/artifacts"),
        "The artifact store cannot be used.",
        "Create the bucket of HOKUSAI_ARTIFACT_DESTINATION, or correct its name.",
    ),
    "secret is wrong": (
        settings(AWS_SECRET_ACCESS_KEY="another"),
        "The artifact store cannot be used.",
        "Give the portal a task role, or valid AWS_* variables.",
    ),
    "role may not write": (
        settings(AWS_ACCESS_KEY_ID=STORE_READER),
        "The artifact store takes no upload.",
        f"Allow the portal's role s3:PutObject on arn:aws:s3:::{BUCKET}/{PREFIX}/*, in its policy and in the bucket's.",
    ),
    "store hangs": (
        store_that_hangs,
        "The artifact store cannot be used.",
        "The store took the call and did not answer: see its load and its disks.",
    ),
    "MLflow rejects the host": (
        mlflow_that_knows_another_host,
        "MLflow does not answer as it should.",
        "--allowed-hosts",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_person_reads_what_is_broken_and_what_to_do(page: Page, desk: Portal, stack: Stack, what: str) -> None:
    breaking, sentence, cure = BROKEN[what]
    with breaking(stack) as environment:
        check(desk, **environment)
    page.goto("/admin/storage-health/")
    expect(page.locator(".health-word")).to_have_text("red")
    expect(page.locator(".health-sentence")).to_contain_text(sentence)
    expect(page.locator(".health-todo li").first).to_contain_text(cure)
