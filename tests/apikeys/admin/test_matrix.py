"""Rights of staff on every screen, generated: role by operation by object; what is refused is 403, recorded, undone.

The expectations stand here once more, in words of their own, so that a slip in ``apikeys.staff`` cannot agree with
itself.
"""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from apikeys import actions, webhooks
from apikeys.models import ApiKey, AuditEvent, Delivery, Service, Webhook
from tests.apikeys.admin.conftest import ROLES, change, listed, page

ALL, OWN = "all", "own"
ADMIN = {
    "service": {"view": ALL, "add": ALL, "change": ALL},
    "key": {"view": ALL, "issue": ALL, "change": ALL},
    "event": {"view": ALL},
    "webhook": {"view": ALL, "add": ALL, "change": ALL},
}
RIGHTS = {
    "no group": {},
    "viewer": {"service": {"view": ALL}, "key": {"view": ALL}},
    "key issuer": {
        "service": {"view": OWN},
        "key": {"view": OWN, "issue": OWN, "change": OWN},
        "event": {"view": OWN},
    },
    "auditor": {"service": {"view": ALL}, "key": {"view": ALL}, "event": {"view": ALL}},
    "administrator": ADMIN,
    "superuser": ADMIN | {"account": {"view": ALL, "add": ALL, "change": ALL}},
}


def key_form(row):
    return {"service": row.service.pk, "name": "n", "preset": "reader", "environment": "live", "form_token": "t"}


SERVICE_FORM = {"service_id": "new", "description": "", "owner": "", "contact": ""}


# Nothing listens there.
WEBHOOK_URL = "http://127.0.0.1:9/hook"
WEBHOOK_FORM = {"webhook_id": "new", "url": WEBHOOK_URL, "types": ["key.issued"]}


def ticked(row, action):
    return {"action": action, "_selected_action": [row.pk], "index": 0}


def url(name, *args):
    return reverse(f"admin:{name}", args=args)


# Name: what it needs of which model, what is sent, and the event of its success.
OPERATIONS = {
    "service page": ("service", "view", lambda o: ("GET", page(o.service)), ""),
    "service edit": ("service", "view", lambda o: ("GET", url("apikeys_service_change", o.service.pk)), ""),
    "service history": ("service", "view", lambda o: ("GET", url("apikeys_service_history", o.service.pk)), ""),
    "service add": ("service", "add", lambda _: ("GET", url("apikeys_service_add")), ""),
    "service add sent": (
        "service",
        "add",
        lambda _: ("POST", url("apikeys_service_add"), SERVICE_FORM),
        "service_created",
    ),
    "service edit sent": (
        *("service", "change"),
        lambda o: ("POST", url("apikeys_service_change", o.service.pk), {"owner": "me"}),
        "service_changed",
    ),
    "service disable": ("service", "change", lambda o: ("GET", change(o.service, "disable")), ""),
    "service disable sent": (
        *("service", "change"),
        lambda o: ("POST", change(o.service, "disable"), {"reason": "r"}),
        "service_disabled",
    ),
    "service enable": ("service", "change", lambda o: ("GET", change(o.service, "enable")), ""),
    "service workspaces": ("service", "change", lambda o: ("GET", change(o.service, "create_workspaces")), ""),
    "service ticked": ("service", "change", lambda o: ("POST", listed("service"), ticked(o.service, "disable")), ""),
    "service delete": ("service", "never", lambda o: ("GET", url("apikeys_service_delete", o.service.pk)), ""),
    "service delete sent": (
        *("service", "never"),
        lambda o: ("POST", url("apikeys_service_delete", o.service.pk), {"post": "yes"}),
        "",
    ),
    "service delete ticked": (
        *("service", "never"),
        lambda o: ("POST", listed("service"), ticked(o.service, "delete_selected")),
        "",
    ),
    "key page": ("key", "view", lambda o: ("GET", page(o)), ""),
    "key old address": ("key", "view", lambda o: ("GET", url("apikeys_apikey_change", o.pk)), ""),
    "key history": ("key", "view", lambda o: ("GET", url("apikeys_apikey_history", o.pk)), ""),
    "key issue": ("key", "issue", lambda o: ("GET", url("apikeys_apikey_add") + f"?service={o.service.pk}"), ""),
    "key issue sent": ("key", "issue", lambda o: ("POST", url("apikeys_apikey_add"), key_form(o)), "api_key_issued"),
    "key rotate": ("key", "issue", lambda o: ("GET", change(o, "rotate")), ""),
    "key rotate sent": ("key", "issue", lambda o: ("POST", change(o, "rotate"), {"grace": "0"}), "api_key_rotated"),
    "key revoke": ("key", "change", lambda o: ("GET", change(o, "revoke")), ""),
    "key revoke sent": ("key", "change", lambda o: ("POST", change(o, "revoke"), {"reason": "r"}), "api_key_revoked"),
    "key revoke ticked": ("key", "change", lambda o: ("POST", listed("apikey"), ticked(o, "revoke")), ""),
    "key disable sent": (
        "key",
        "change",
        lambda o: ("POST", change(o, "disable"), {"reason": "r"}),
        "api_key_disabled",
    ),
    "key enable": ("key", "change", lambda o: ("GET", change(o, "enable")), ""),
    "key note sent": (
        "key",
        "change",
        lambda o: ("POST", url("apikeys_apikey_note", o.pk), {"note": "x"}),
        "api_key_annotated",
    ),
    "key edit sent": ("key", "never", lambda o: ("POST", url("apikeys_apikey_change", o.pk), {"name": "x"}), ""),
    "key delete": ("key", "never", lambda o: ("GET", url("apikeys_apikey_delete", o.pk)), ""),
    "key delete sent": ("key", "never", lambda o: ("POST", url("apikeys_apikey_delete", o.pk), {"post": "yes"}), ""),
    "key delete ticked": ("key", "never", lambda o: ("POST", listed("apikey"), ticked(o, "delete_selected")), ""),
    "event page": ("event", "view", lambda o: ("GET", page(o.event)), ""),
    "event old address": ("event", "view", lambda o: ("GET", url("apikeys_auditevent_change", o.event.pk)), ""),
    "event add": ("event", "never", lambda _: ("GET", url("apikeys_auditevent_add")), ""),
    "event add sent": ("event", "never", lambda _: ("POST", url("apikeys_auditevent_add"), {"action": "x"}), ""),
    "event edit sent": (
        *("event", "never"),
        lambda o: ("POST", url("apikeys_auditevent_change", o.event.pk), {"actor": "x"}),
        "",
    ),
    "event delete sent": (
        *("event", "never"),
        lambda o: ("POST", url("apikeys_auditevent_delete", o.event.pk), {"post": "yes"}),
        "",
    ),
    "event delete ticked": (
        "event",
        "never",
        lambda o: ("POST", listed("auditevent"), ticked(o.event, "delete_selected")),
        "",
    ),
    "event export by address": ("event", "never", lambda _: ("GET", url("apikeys_auditevent_csv")), ""),
    "webhook page": ("webhook", "view", lambda o: ("GET", page(o.webhook)), ""),
    "webhook old address": ("webhook", "view", lambda o: ("GET", url("apikeys_webhook_change", o.webhook.pk)), ""),
    "webhook history": ("webhook", "view", lambda o: ("GET", url("apikeys_webhook_history", o.webhook.pk)), ""),
    "webhook add": ("webhook", "add", lambda _: ("GET", url("apikeys_webhook_add")), ""),
    "webhook add sent": (
        *("webhook", "add"),
        lambda _: ("POST", url("apikeys_webhook_add"), WEBHOOK_FORM),
        "webhook_created",
    ),
    "webhook test": ("webhook", "change", lambda o: ("GET", change(o.webhook, "test")), ""),
    "webhook test sent": ("webhook", "change", lambda o: ("POST", change(o.webhook, "test")), "webhook_tested"),
    "webhook new secret": (
        *("webhook", "change"),
        lambda o: ("POST", change(o.webhook, "replace_secret")),
        "webhook_secret_replaced",
    ),
    "webhook disable sent": (
        *("webhook", "change"),
        lambda o: ("POST", change(o.webhook, "disable"), {"reason": "r"}),
        "webhook_disabled",
    ),
    "webhook enable": ("webhook", "change", lambda o: ("GET", change(o.webhook, "enable")), ""),
    "webhook ticked": ("webhook", "change", lambda o: ("POST", listed("webhook"), ticked(o.webhook, "disable")), ""),
    "webhook edit sent": (
        *("webhook", "never"),
        lambda o: ("POST", url("apikeys_webhook_change", o.webhook.pk), {"url": "x"}),
        "",
    ),
    "webhook delete sent": (
        *("webhook", "never"),
        lambda o: ("POST", url("apikeys_webhook_delete", o.webhook.pk), {"post": "yes"}),
        "",
    ),
    "delivery page": ("webhook", "view", lambda o: ("GET", page(o.delivery)), ""),
    "delivery old address": ("webhook", "view", lambda o: ("GET", url("apikeys_delivery_change", o.delivery.pk)), ""),
    "delivery add": ("webhook", "never", lambda _: ("GET", url("apikeys_delivery_add")), ""),
    "delivery edit sent": (
        *("webhook", "never"),
        lambda o: ("POST", url("apikeys_delivery_change", o.delivery.pk), {"status": "delivered"}),
        "",
    ),
    "delivery delete sent": (
        *("webhook", "never"),
        lambda o: ("POST", url("apikeys_delivery_delete", o.delivery.pk), {"post": "yes"}),
        "",
    ),
    "account list": ("account", "view", lambda _: ("GET", url("auth_user_changelist")), ""),
    "account page": ("account", "view", lambda o: ("GET", url("auth_user_change", o.user.pk)), ""),
    "account made superuser": (
        *("account", "change"),
        lambda o: (
            *("POST", url("auth_user_change", o.user.pk)),
            {
                "username": o.user.username,
                "is_superuser": "on",
                "is_staff": "on",
                "is_active": "on",
                "date_joined_0": "2026-01-01",
                "date_joined_1": "00:00",
            },
        ),
        "account_changed",
    ),
    "account password": ("account", "change", lambda o: ("GET", url("auth_user_password_change", o.user.pk)), ""),
    "account delete": ("account", "never", lambda o: ("POST", url("auth_user_delete", o.user.pk), {"post": "yes"}), ""),
    "account delete ticked": (
        *("account", "never"),
        lambda _: ("GET", url("auth_group_delete", Group.objects.first().pk)),
        "",
    ),
    "group list": ("account", "view", lambda _: ("GET", url("auth_group_changelist")), ""),
    "group add sent": ("account", "add", lambda _: ("POST", url("auth_group_add"), {"name": "crew"}), "group_created"),
}


@pytest.fixture
def objects(reader, stranger, platform, batch, actor, settings):
    """A key of the issuer's own service and one of a foreign one, each with an event of its service.

    And a webhook with a delivery, which are of no service.
    """
    settings.HOKUSAI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    someone = User.objects.create(username="someone")
    asked = WEBHOOK_FORM | {"webhook_id": "chat"}
    webhook = webhooks.create_webhook(**asked, actor=actor).row
    delivery = webhooks.queue_test(webhook=webhook, actor=actor)
    for issued in (reader, stranger):
        issued.row.event = AuditEvent.objects.filter(service_id=issued.row.service.service_id).first()
        issued.row.user = someone
        issued.row.webhook, issued.row.delivery = webhook, delivery
    return {"own": stranger.row, "foreign": reader.row}


def is_allowed(role, model, verb, which):
    reach = RIGHTS[role].get(model, {}).get(verb)
    return reach == ALL or (reach == OWN and which == "own")


def rows():
    return [list(kind.objects.order_by("pk").values()) for kind in (Service, ApiKey, User, Group, Webhook, Delivery)]


def send(client, operation, row):
    method, address, *data = operation(row)
    return client.get(address) if method == "GET" else client.post(address, *data)


CASES = [(role, name, which) for role in ROLES for name in OPERATIONS for which in ("own", "foreign")]


@pytest.mark.parametrize(("role", "name", "which"), CASES, ids=[" / ".join(case) for case in CASES])
def test_admin_matrix(as_role, objects, role, name, which):
    model, verb, operation, event = OPERATIONS[name]
    client, row = as_role(role), objects[which]
    before, events = rows(), AuditEvent.objects.count()
    response = send(client, operation, row)
    if is_allowed(role, model, verb, which):
        assert response.status_code in {200, 302}
        assert "/login/" not in response.headers.get("Location", "")
        assert not event or AuditEvent.objects.filter(action=event, actor=role.replace(" ", "-")).count() == 1
    else:
        assert response.status_code == 403
        assert rows() == before
        assert AuditEvent.objects.count() == events + 1
        denied = AuditEvent.objects.order_by("pk").last()
        assert (denied.action, denied.actor) == ("admin_denied", role.replace(" ", "-"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_admin_matrix_without_a_session_every_operation_leads_to_the_login(portal, objects, name):
    response = send(portal, OPERATIONS[name][2], objects["own"])
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_staff": False}], ids=str)
def test_admin_matrix_superuser_who_is_paused_or_no_staff_sees_the_login(as_role, account, objects, columns):
    client = as_role("superuser")
    User.objects.filter(pk=account("superuser").pk).update(**columns)
    assert client.get(page(objects["own"]))["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("screen", "model"), [("service", "service"), ("apikey", "key"), ("auditevent", "event")])
def test_admin_matrix_list_shows_what_may_be_seen(as_role, objects, role, screen, model):
    reach = RIGHTS[role].get(model, {}).get("view")
    response = as_role(role).get(listed(screen))
    if reach is None:
        assert response.status_code == 403
        return
    shown = {row.pk for row in response.context["cl"].result_list}
    of = {"service": lambda row: row.service, "key": lambda row: row, "event": lambda row: row.event}[model]
    assert of(objects["own"]).pk in shown
    assert (of(objects["foreign"]).pk in shown) is (reach == ALL)


@pytest.mark.parametrize("role", ROLES)
def test_admin_matrix_export_holds_what_may_be_seen(as_role, objects, role):
    reach = RIGHTS[role].get("event", {}).get("view")
    response = as_role(role).post(url("apikeys_auditevent_jsonl"))
    assert response.status_code == (200 if reach else 403)
    if reach:
        text = b"".join(response).decode()
        assert '"service_id": "batch"' in text
        assert ('"service_id": "platform"' in text) is (reach == ALL)


@pytest.mark.parametrize("role", ROLES)
def test_admin_matrix_autocomplete_offers_what_may_be_seen(as_role, objects, role):
    query = "?app_label=apikeys&model_name=apikey&field_name=service&term=p"
    response = as_role(role).get(url("autocomplete") + query)
    reach = RIGHTS[role].get("service", {}).get("view")
    if reach is None:
        assert response.status_code == 403
    else:
        offered = {result["text"] for result in response.json()["results"]}
        assert offered == ({"platform"} if reach == ALL else set())


@pytest.mark.parametrize("role", ROLES)
def test_admin_matrix_index_names_the_screens_that_open(as_role, role):
    text = as_role(role).get(url("index")).content.decode()
    screens = {
        "service": "/apikeys/service/",
        "key": "/apikeys/apikey/",
        "event": "/auditevent/",
        "webhook": "/apikeys/webhook/",
        "account": "/auth/user/",
    }
    assert {model for model, path in screens.items() if path in text} == set(RIGHTS[role])


@pytest.mark.parametrize("popup", ["", "?_popup=1", "?_to_field=id"])
def test_admin_matrix_popup_opens_no_foreign_row(issuer, objects, popup):
    assert issuer.get(page(objects["foreign"]) + popup).status_code == 403
    assert issuer.get(url("apikeys_apikey_change", objects["foreign"].pk) + popup).status_code == 403


def test_key_issuer_gets_no_successor_that_holds_more_than_it_may_give(issuer, issue, batch):
    row = issue(service=batch, words=["mlflow:admin"]).row
    assert issuer.post(change(row, "rotate"), {"grace": "0"}).status_code == 403
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    "sent", [{"preset": "operator"}, {"scopes": ["mlflow:admin"]}, {"scopes": ["audit:read"]}], ids=str
)
def test_key_issuer_cannot_give_what_reaches_past_its_service(issuer, batch, sent):
    form = {"service": batch.pk, "name": "n", "environment": "live", "form_token": "t"} | sent
    assert issuer.post(url("apikeys_apikey_add"), form).status_code == 200
    assert not ApiKey.objects.exists()


def test_key_issuer_cannot_give_it_by_the_default_of_its_service_either(issuer, batch, actor):
    actions.change_service(service=batch, actor=actor, default_scopes=["mlflow:admin"])
    form = {"service": batch.pk, "name": "n", "environment": "live", "form_token": "t"}
    assert "An administrator can" in issuer.post(url("apikeys_apikey_add"), form).content.decode()
    assert not ApiKey.objects.exists()
