"""The screen of services: registering, describing, defaults, pause, and the page with its keys."""

import pytest
from django.urls import reverse

from apikeys import actions, scopes
from apikeys.models import AuditEvent, Service
from tests.apikeys.admin.conftest import change, listed, page

ADD = reverse("admin:apikeys_service_add")
FORM = {"service_id": "nightly", "description": "trains", "owner": "data", "contact": "#data"}


def edit(service):
    return reverse("admin:apikeys_service_change", args=[service.pk])


def events(service_id):
    return list(AuditEvent.objects.filter(service_id=service_id).order_by("pk").values_list("action", flat=True))


def test_service_is_registered_with_all_that_the_form_says(admin, account):
    issuer = account("key issuer")
    response = admin.post(
        ADD,
        FORM
        | {"key_preset": "contributor", "key_days": 30, "key_rate_limit_per_hour": 500}
        | {"signed_addresses": "on", "key_issuers": [issuer.pk]},
    )
    service = Service.objects.get(service_id="nightly")
    assert response["Location"] == page(service)
    assert (service.owner, service.contact, service.presigned_urls) == ("data", "#data", True)
    assert service.default_scopes == sorted(scopes.PRESETS["contributor"])
    assert (service.default_days, service.default_rate_limit_per_hour) == (30, 500)
    assert list(service.issuers.all()) == [issuer]
    assert events("nightly") == [
        *("service_created", "service_changed", "service_issuers_set", "service_presigning_set"),
    ]


def test_service_events_name_who_changed_what_from_where(admin, batch):
    admin.post(edit(batch), FORM | {"owner": "ops"}, REMOTE_ADDR="192.0.2.9")
    event = AuditEvent.objects.get(action="service_changed")
    assert (event.actor, event.address, event.service_id) == ("administrator", "192.0.2.9", "batch")
    assert (event.before["owner"], event.after["owner"]) == ("", "ops")
    assert event.request_id


def test_service_id_stays_for_good(admin, batch):
    admin.post(edit(batch), FORM)
    assert Service.objects.get(pk=batch.pk).service_id == "batch"


def test_service_saved_as_it_is_writes_no_event(admin, batch):
    before = events("batch")
    admin.post(edit(batch), {"description": "", "owner": "", "contact": ""})
    assert events("batch") == before


@pytest.mark.parametrize(
    "mistake",
    [
        *({"service_id": "Batch"}, {"service_id": "batch"}, {"key_days": 366}, {"key_rate_limit_per_hour": 1}),
        *({"owner": "hk_live_" + "a" * 52}, {"key_scopes": ["model:execute"]}),
    ],
    ids=str,
)
def test_service_form_with_a_mistake_is_shown_again_and_nothing_written(admin, batch, mistake):
    response = admin.post(ADD, FORM | mistake)
    assert response.status_code == 200
    assert response.context["errors"]
    assert Service.objects.count() == 2


def test_service_disable_asks_for_a_reason(admin, batch, stranger):
    assert "refused from the next request on" in admin.get(change(batch, "disable")).content.decode()
    assert "required" in admin.post(change(batch, "disable"), {"reason": ""}).content.decode()
    assert not Service.objects.get(pk=batch.pk).is_disabled


def test_service_disabled_shows_the_reason_and_offers_to_end_it(admin, batch):
    response = admin.post(change(batch, "disable"), {"reason": "leak suspected"}, follow=True)
    text = response.content.decode()
    assert "leak suspected" in text
    assert change(batch, "enable") in text
    assert change(batch, "disable") not in text


def test_service_disabled_twice_is_told_and_not_done(admin, batch):
    admin.post(change(batch, "disable"), {"reason": "first"})
    assert "already disabled: first" in admin.post(change(batch, "disable"), {"reason": "second"}).content.decode()


def test_service_enabled_in_bulk_summarises_each(admin, batch, platform, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    address = reverse("admin:apikeys_service_enable") + f"?rows={batch.pk},{platform.pk}"
    text = admin.post(address, {"reason": ""}).content.decode()
    assert "enabled" in text
    assert "service platform is not disabled" in text


def test_service_ticked_rows_lead_to_the_page_that_asks(admin, batch):
    sent = {"action": "disable", "_selected_action": [batch.pk], "index": 0}
    assert admin.post(listed("service"), sent)["Location"] == change(batch, "disable")


@pytest.mark.parametrize("rows", ["", "?rows=", "?rows=x"])
def test_change_of_no_row_is_404(admin, rows):
    assert admin.get(reverse("admin:apikeys_service_disable") + rows).status_code == 404


@pytest.mark.parametrize("number", ["9" * 40, "0", "\u0663"], ids=ascii)
def test_change_of_a_row_that_cannot_be_is_refused(admin, number):
    assert admin.get(reverse("admin:apikeys_service_disable") + f"?rows={number}").status_code in {403, 404}
    assert admin.get(reverse("admin:apikeys_apikey_add") + f"?service={number}").status_code == 200
    assert admin.get(f"/admin/apikeys/service/{number}/").status_code == 404


def test_service_page_shows_its_keys_with_status_and_last_activity(admin, batch, stranger, issue):
    old = issue(service=batch, name="older")
    actions.revoke_key(key=old.row, reason="lost", actor=actions.Actor(name="x"))
    text = admin.get(page(batch)).content.decode()
    assert stranger.row.public_id in text
    assert "chip-active" in text
    assert "chip-revoked" in text


def test_service_page_has_a_fixed_number_of_queries(admin, batch, issue, django_assert_max_num_queries):
    for number in range(12):
        issue(service=batch, name=f"key {number}")
    with django_assert_max_num_queries(25):
        admin.get(page(batch))


def test_service_list_counts_usable_keys_and_finds_by_owner(admin, batch, stranger, platform, actor):
    actions.change_service(service=batch, owner="ranking", actor=actor)
    (row,) = admin.get(listed("service"), {"q": "ranking"}).context["cl"].result_list
    assert (row.service_id, row.usable_keys) == ("batch", 1)


@pytest.mark.parametrize(("word", "found"), [("active", "platform"), ("disabled", "batch")])
def test_service_list_is_filtered_by_status(admin, batch, platform, actor, word, found):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    (row,) = admin.get(listed("service"), {"status": word}).context["cl"].result_list
    assert row.service_id == found


def test_new_key_of_a_service_gets_its_defaults(admin, batch, actor):
    actions.change_service(service=batch, actor=actor, default_scopes=["model:read"], default_days=7)
    text = admin.get(reverse("admin:apikeys_apikey_add") + f"?service={batch.pk}").content.decode()
    assert "The default of batch: model:read" in text
    form = {"service": batch.pk, "name": "n", "environment": "live", "form_token": "t"}
    admin.post(reverse("admin:apikeys_apikey_add"), form)
    assert batch.keys.get().scopes == ["model:read"]


def test_service_without_defaults_asks_for_access(admin, batch):
    form = {"service": batch.pk, "name": "n", "environment": "live", "form_token": "t"}
    text = admin.post(reverse("admin:apikeys_apikey_add"), form).content.decode()
    assert "choose a preset or single scopes" in text
    assert not batch.keys.exists()


def test_disabled_service_is_not_offered_for_new_keys(admin, batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    form = {"service": batch.pk, "name": "n", "preset": "reader", "environment": "live", "form_token": "t"}
    assert admin.post(reverse("admin:apikeys_apikey_add"), form).status_code == 200
    assert not batch.keys.exists()
