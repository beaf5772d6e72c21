"""MLflow's web interface in Chromium, by names that are not localhost, before the real MLflow: what people see and do.

Nothing is refused and no policy complains but for what docs/ui.md names, and script of others stays shut in.
"""

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect
from pytest_httpserver import HTTPServer

from tests.browser.chromium import PATIENCE, launched
from tests.docs.documents import sections
from tests.live.client import run_client
from tests.live.conftest import Stack
from tests.live.processes import eventually
from tests.live.stack import Portal

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

MAIN, UI, SISTER = "portal.example.test", "mlflow.example.test", "sister.example.test"
WORD = "a long word of somebody"
PEOPLE = f"""
from django.contrib.auth.models import Group, User
for name, group in {{"viewer": "viewer", "editor": "administrator", "guest": "viewer"}}.items():
    user = User.objects.create_user(name, password={WORD!r}, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
"""
HOSTILE = "<img src=data:, onerror=window.hostile=1><script>window.hostile=1</script>"
RECORDS = f"""
from mlflow.entities import Metric
client, hostile = MlflowClient(), {HOSTILE!r}
experiment = mlflow.set_experiment("seen by people").experiment_id
for number in range(100):
    other = client.create_run(experiment, run_name=f"run-{{number:03d}}")
    client.log_batch(other.info.run_id, [Metric("auc", number / (100 - 10 * step), 0, step) for step in (0, 1)])
    client.set_terminated(other.info.run_id)
with mlflow.start_run(run_name="files " + hostile, tags={{"mlflow.note.content": hostile, "about": hostile}}) as run:
    mlflow.log_metric("f1", 0.8125)
    mlflow.log_text("hello from afar", "notes.txt")
    mlflow.log_text("<h1>plain</h1><script>document.querySelector('h1').textContent = 'ran'</script>", "page.html")
    mlflow.log_text("<svg xmlns='http://www.w3.org/2000/svg'><script>window.hostile=1</script></svg>", "drawing.svg")
    mlflow.log_text(f"artifact_path: model\\nflavors: {{{{}}}}\\nabout: {{hostile}}", "model/MLmodel")
client.create_registered_model("a model of people", description=hostile)
version = client.create_model_version("a model of people", f"runs:/{{run.info.run_id}}/model", run.info.run_id)
client.set_registered_model_alias("a model of people", "champion", version.version)
@mlflow.trace
def inner(x):
    return x + 1
@mlflow.trace
def outer(x):
    return inner(x) * 2
outer(3)
result |= {{"experiment": experiment, "run": run.info.run_id, "other": other.info.run_id}}
"""


@pytest.fixture(scope="module")
def portal(stack: Stack) -> Iterator[Portal]:
    """A portal as in production: with one name for itself and one for the interface, and with people."""
    portal = stack.direct_twin(stack.local, "portal-ui")
    port = portal.environment["PORTAL_PORT"]
    portal.environment |= {
        "HOKUSAI_PUBLIC_URL": f"http://{MAIN}:{port}",
        "HOKUSAI_UI_HOST": f"{UI}:{port}",
        "HOKUSAI_ALLOWED_HOSTS": f"{MAIN},127.0.0.1",
    }
    portal.manage("collectstatic", "--no-input", "--verbosity=0")
    portal.manage("shell", "--no-imports", "-c", PEOPLE)
    portal.start()
    portal.wait_until_ready()
    yield portal
    portal.end()


@pytest.fixture(scope="module")
def seen(portal: Portal) -> SimpleNamespace:
    """What a client has logged: experiment and run by their ids."""
    return SimpleNamespace(
        **run_client(RECORDS, portal, portal.key("operator"), MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false")
    )


def at(portal: Portal, host: str, path: str = "") -> str:
    return f"http://{host}:{portal.environment['PORTAL_PORT']}{path}"


@pytest.fixture(scope="module")
def chrome(portal: Portal) -> Iterator[Browser]:
    """A browser that finds the names here, and treats them as it would over https."""
    trusted = ",".join(at(portal, host) for host in (MAIN, UI))
    flags = (
        "--host-resolver-rules=MAP *.example.test 127.0.0.1",
        f"--unsafely-treat-insecure-origin-as-secure={trusted}",
    )
    with launched(*flags) as browser:
        yield browser


class Ear:
    """What a page was refused, apart from what docs/ui.md names, and what its policy complained of."""

    def __init__(self, page: Page) -> None:
        told = sections("docs/ui.md")["What stays closed"]
        self.expected = set(re.findall(r"^\| `(\w+) (\S+)` \|", told, re.MULTILINE))
        self.refused: list[str] = []
        self.violations: list[str] = []
        self.waiting: set[Any] = set()
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)
        page.on("response", self._hear)
        page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.violations.append(str(error)))

    def _begin(self, request: Any) -> None:
        # Nobody is told when the script of a shared worker has arrived.
        if not request.url.endswith(".worker.js"):
            self.waiting.add(request)

    def _end(self, request: Any) -> None:
        self.waiting.discard(request)

    def _hear(self, response: Any) -> None:
        method, path = response.request.method, response.url.partition("/mlflow/")[2].partition("?")[0]
        if response.status >= 400 and (method, path) not in self.expected:
            self.refused.append(f"{response.status} {method} {response.url}")

    def _note(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.violations.append(text)


@pytest.fixture
def visit(chrome: Browser, seen: SimpleNamespace) -> Iterator[Callable[..., Page]]:
    """A factory of pages, each in a browser of its own; ``page.ear`` has listened from the start."""
    contexts: list[BrowserContext] = []

    def make(state: Any = None) -> Page:
        context = chrome.new_context(viewport={"width": 1500, "height": 1000}, storage_state=state)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.ear = Ear(page)  # type: ignore[attr-defined]
        return page

    yield make
    for context in contexts:
        context.close()


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(WORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="module")
def sessions() -> dict[str, Any]:
    """What browsers hold that have signed in: signing in has a pace."""
    return {}


@pytest.fixture
def signed_in(visit: Any, sessions: dict[str, Any], portal: Portal) -> Callable[[str], Page]:
    """A factory of pages of somebody who has signed in, on each of the two hosts."""

    def make(name: str) -> Page:
        if name not in sessions:
            page = visit()
            for host, landing in ((MAIN, "/health"), (UI, "/health")):
                page.goto(at(portal, host, f"/sign-in?next={landing}"))
                sign_in(page, name)
                # Whole: the form's own address ends like it.
                page.wait_for_url(at(portal, host, landing))
            sessions[name] = page.context.storage_state()
        made: Page = visit(sessions[name])
        return made

    return make


@pytest.fixture
def viewer(signed_in: Callable[[str], Page]) -> Page:
    """Somebody who looks."""
    return signed_in("viewer")


@pytest.fixture
def editor(signed_in: Callable[[str], Page]) -> Page:
    """Somebody who changes."""
    return signed_in("editor")


def assert_untroubled(page: Page) -> None:
    """Assert that nothing was refused and no policy complained, once the page asks for nothing more."""
    ear: Ear = page.ear  # type: ignore[attr-defined]
    for _ in range(100):
        page.wait_for_timeout(300)
        if not ear.waiting:
            break
    assert (ear.refused, ear.violations) == ([], [])
    expect(page.get_by_text("ENDPOINT_NOT_FOUND")).to_have_count(0)


PLACES = {
    "experiments": "seen by people",
    "experiments/{experiment}/runs": "run-099",
    "experiments/{experiment}/runs/{run}": "0.8125",
    "experiments/{experiment}/runs/{run}/model-metrics": "f1",
    "experiments/{experiment}/runs/{run}/artifacts/notes.txt": "hello from afar",
    "experiments/{experiment}/traces": "OK",
    "models": "a model of people",
    "models/a%20model%20of%20people": "champion",
    "models/a%20model%20of%20people/versions/1": "Version 1",
}


def test_viewer_walks_through_everything_and_is_refused_nothing(
    viewer: Page, portal: Portal, seen: SimpleNamespace
) -> None:
    for place, sign in PLACES.items():
        viewer.goto(at(portal, UI, f"/mlflow/#/{place.format(**vars(seen))}"))
        expect(viewer.get_by_text(sign).first).to_be_visible()
        assert_untroubled(viewer)
    assert viewer.evaluate("window.hostile") is None


def test_chart_of_a_hundred_runs_is_drawn(viewer: Page, portal: Portal, seen: SimpleNamespace) -> None:
    viewer.goto(at(portal, UI, f"/mlflow/#/experiments/{seen.experiment}/runs?compareRunsMode=CHART"))
    viewer.get_by_test_id("experiment-view-runs-visibility-column-header").click()
    with viewer.expect_response(lambda reply: len(reply.url) > 4000) as found:
        viewer.get_by_text("Show all runs").click()
    assert found.value.status == 200
    expect(viewer.locator(".js-plotly-plot").first).to_be_visible()
    assert_untroubled(viewer)


def test_script_of_an_artifact_is_shut_in(viewer: Page, portal: Portal, seen: SimpleNamespace) -> None:
    viewer.goto(at(portal, UI, f"/mlflow/#/experiments/{seen.experiment}/runs/{seen.run}/artifacts/page.html"))
    expect(viewer.frame_locator("iframe").get_by_role("heading")).to_have_text("plain")
    frame = viewer.frame_locator("iframe").locator("html")
    assert frame.evaluate("() => self.origin") == "null"
    with pytest.raises(Error, match="SecurityError"):
        frame.evaluate("() => document.cookie")


@pytest.mark.parametrize("name", ["page.html", "drawing.svg"])
def test_active_artifact_opened_by_its_address_is_saved_and_not_shown(
    viewer: Page, portal: Portal, seen: SimpleNamespace, name: str
) -> None:
    with viewer.expect_download() as found, pytest.raises(Error, match=r"Download is starting|ERR_ABORTED"):
        viewer.goto(at(portal, UI, f"/mlflow/get-artifact?path={name}&run_uuid={seen.run}"))
    assert found.value.path().stat().st_size > 0


def describe(page: Page, portal: Portal, seen: SimpleNamespace, words: str) -> Any:
    """Change the description of a run, and return what the portal answered."""
    page.goto(at(portal, UI, f"/mlflow/#/experiments/{seen.experiment}/runs/{seen.other}"))
    page.get_by_role("button", name="Edit description").first.click()
    page.locator("textarea").first.fill(words)
    expect(page.locator("textarea").first).to_have_value(words)
    with page.expect_response("**/runs/set-tag") as found:
        page.get_by_role("button", name="Save").first.click()
    return found.value


def test_change_by_a_viewer_is_refused_with_its_reason(viewer: Page, portal: Portal, seen: SimpleNamespace) -> None:
    reply = describe(viewer, portal, seen, "by a viewer")
    assert (reply.status, reply.json()["reason"]) == (403, "UI_PERMISSION_MISSING")


def test_change_by_an_editor_is_kept_and_logged(editor: Page, portal: Portal, seen: SimpleNamespace) -> None:
    log = portal.watch()
    assert describe(editor, portal, seen, "by an editor").status == 200
    expect(editor.get_by_text("by an editor").first).to_be_visible()
    assert_untroubled(editor)
    changes = eventually(lambda: log.events("mlflow_changed"))
    assert [event["staff"] for event in changes] == ["editor"]


def test_ended_session_is_told_to_script_and_person(viewer: Page, portal: Portal) -> None:
    viewer.goto(at(portal, UI, "/mlflow/#/models"))
    expect(viewer.get_by_text("a model of people").first).to_be_visible()
    # A reply that is under way would bring a cookie back, or be the refusal that leads the page away.
    assert_untroubled(viewer)
    viewer.context.clear_cookies()
    status = viewer.evaluate("fetch('ajax-api/2.0/mlflow/users/current').then(reply => reply.status)")
    assert status == 401
    viewer.reload()
    expect(viewer.get_by_role("heading", name="Sign in")).to_be_visible()


def test_printed_link_is_found_again_after_signing_in_and_the_admin_is_not_there(
    visit: Any, portal: Portal, seen: SimpleNamespace
) -> None:
    page, place = visit(), f"/#/experiments/{seen.experiment}/runs/{seen.run}"
    page.goto(at(portal, MAIN, f"/api/mlflow{place}"))
    assert page.url.startswith(at(portal, UI, "/sign-in"))
    sign_in(page, "guest")
    expect(page.get_by_text("0.8125").first).to_be_visible()
    assert page.url == at(portal, UI, f"/mlflow{place}")
    assert page.goto(at(portal, UI, "/admin/")).status == 404
    page.goto(at(portal, MAIN, "/admin/"))
    assert "/admin/login/" in page.url


ATTACKS = {
    "a form": """<form method=post enctype=text/plain action={api}><input name='{{"name":"x' value='"}}'></form>
        <script>document.forms[0].submit()</script>""",
    "a script": """<script>fetch("{api}", {{method: "POST", credentials: "include", mode: "no-cors",
        body: '{{"name":"x="}}'}})</script>""",
    "a frame": """<iframe src="{page}"></iframe>""",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_page_of_a_sister_host_is_refused(editor: Page, portal: Portal, httpserver: HTTPServer, attack: str) -> None:
    """Of the same site, so that the browser sends the cookie along; 401 would say that it did not."""
    api = at(portal, UI, "/mlflow/ajax-api/2.0/mlflow/experiments/create")
    html = ATTACKS[attack].format(api=api, page=at(portal, UI, "/mlflow/"))
    httpserver.expect_request("/").respond_with_data(html, content_type="text/html")
    with editor.expect_response(lambda reply: reply.url.startswith(at(portal, UI))) as found:
        editor.goto(f"http://{SISTER}:{httpserver.port}/")
    assert found.value.status == 403
    assert portal.ask("GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=x%3D").status_code == 404


def test_first_page_leads_to_a_model(viewer: Page, portal: Portal) -> None:
    viewer.goto(at(portal, MAIN, "/"))
    viewer.get_by_role("link", name="champion").first.click()
    expect(viewer.get_by_text("Version 1").first).to_be_visible()
    assert viewer.url.startswith(at(portal, UI, "/mlflow/#/models/"))
    assert_untroubled(viewer)
