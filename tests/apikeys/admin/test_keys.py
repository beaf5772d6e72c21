"""The screen of keys: list with filters and search, page, changes of one and of many, the pair of a rotation."""

import datetime

import pytest
from django.urls import reverse

from apikeys import actions, statuses
from apikeys.models import ApiKey, AuditEvent, KeyNetwork, database_now
from tests.apikeys.admin.conftest import change, listed, page

DAY = datetime.timedelta(days=1)


@pytest.fixture
def set_columns(db):
    return lambda issued, **columns: ApiKey.objects.filter(pk=issued.row.pk).update(**columns)


def found(client, **query):
    return {row.name for row in client.get(listed("apikey"), query).context["cl"].result_list}


def test_list_shows_each_status_as_a_chip(admin, issue, actor, set_columns):
    now = database_now()
    actions.revoke_key(key=issue(name="revoked").row, reason="lost", actor=actor)
    actions.disable_key(key=issue(name="disabled").row, reason="holiday", actor=actor)
    actions.rotate_key(key=issue(name="in grace").row, actor=actor)
    set_columns(issue(name="expired"), created_at=now - 9 * DAY, expires_at=now - DAY)
    set_columns(issue(name="expiring"), expires_at=now + DAY)
    set_columns(issue(name="idle"), created_at=now - 95 * DAY)
    text = admin.get(listed("apikey")).content.decode()
    for word in statuses.DESCRIPTIONS:
        assert f'chip-{word.replace(" ", "-")}">{word}<' in text
        assert word in found(admin, status=word) | {"active"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"use": "never"}, {"fresh", "idle"}),
        ({"use": "idle"}, {"idle"}),
        ({"expiry": "soon"}, {"ending"}),
        ({"status": "active"}, {"fresh", "used"}),
        ({"use": "never", "status": "active"}, {"fresh"}),
    ],
    ids=str,
)
def test_list_is_filtered(admin, issue, set_columns, query, names):
    now = database_now()
    issue(name="fresh")
    set_columns(issue(name="used"), last_used_at=now)
    set_columns(issue(name="ending"), last_used_at=now, expires_at=now + 29 * DAY)
    set_columns(issue(name="idle"), created_at=now - 91 * DAY)
    assert found(admin, **query) == names


def test_list_is_filtered_by_service(admin, reader, stranger, batch):
    assert found(admin, service__id__exact=batch.pk) == {"stranger"}


def test_list_is_searched_by_id_name_note_service_and_owner(admin, issue, reader, batch, actor):
    actions.change_service(service=batch, owner="ranking", actor=actor)
    row = issue(service=batch, name="night", note="GPU nodes").row
    for word in (row.public_id, "night", "GPU nodes", "batch", "ranking"):
        assert found(admin, q=word) == {"night"}


@pytest.mark.parametrize(
    "lookup",
    [
        "digest__startswith",
        "digest",
        "pepper_number",
        "idempotency_digest__gte",
        "service__issuers__password__startswith",
    ],
)
def test_list_cannot_be_asked_about_columns_that_it_does_not_show(admin, reader, lookup):
    assert admin.get(listed("apikey"), {lookup: "a"}).status_code == 400


def test_list_has_a_fixed_number_of_queries(admin, issue, django_assert_max_num_queries):
    for number in range(20):
        issue(name=f"key {number}")
    with django_assert_max_num_queries(12):
        admin.get(listed("apikey"))


def test_page_tells_rights_in_words_and_limits(admin, issue):
    row = issue(words=["model:promote"], allowed_ips=["192.0.2.0/24"], rate_limit_per_hour=77, note="GPU").row
    text = admin.get(page(row)).content.decode()
    for words in ("set and remove aliases", "192.0.2.0/24", "77 calls an hour", "GPU"):
        assert words in text


def test_page_tells_the_last_use(admin, reader, set_columns):
    set_columns(reader, last_used_at=database_now(), last_used_ip="192.0.2.5", last_used_agent="mlflow/3.17")
    text = admin.get(page(reader.row)).content.decode()
    assert "192.0.2.5" in text
    assert "mlflow/3.17" in text


def test_page_tells_the_networks_that_a_key_was_used_from(admin, reader):
    for network in ("192.0.2.0/24", "2001:db8::/64"):
        KeyNetwork.objects.create(key=reader.row, network=network)
    text = admin.get(page(reader.row)).content.decode()
    assert ">192.0.2.0/24</code>" in text
    assert ">2001:db8::/64</code>" in text


def test_page_of_no_key_is_404(admin):
    assert admin.get(reverse("admin:apikeys_apikey_page", args=[999])).status_code == 404


def test_page_offers_what_can_be_done(admin, reader, actor):
    text = admin.get(page(reader.row)).content.decode()
    assert all(change(reader.row, name) in text for name in ("rotate", "disable", "revoke"))
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    text = admin.get(page(reader.row)).content.decode()
    assert not any(change(reader.row, name) in text for name in ("rotate", "disable", "enable", "revoke"))
    assert "lost" in text


def test_page_shows_its_events_to_those_who_may_see_them(admin, as_role, reader):
    assert "Key issued" in admin.get(page(reader.row)).content.decode()
    assert "Key issued" not in as_role("viewer").get(page(reader.row)).content.decode()


def test_revoke_asks_for_a_reason_and_records_it(admin, reader):
    assert "cannot be undone" in admin.get(change(reader.row, "revoke")).content.decode()
    admin.post(change(reader.row, "revoke"), {"reason": "laptop lost"})
    event = AuditEvent.objects.get(action="api_key_revoked")
    assert (event.reason, event.actor) == ("laptop lost", "administrator")


def test_revoke_with_the_key_as_reason_is_refused_and_not_repeated(admin, reader):
    text = admin.post(change(reader.row, "revoke"), {"reason": reader.secret.text}).content.decode()
    assert "secrets are never stored" in text
    assert not ApiKey.objects.get().is_revoked


def test_revoke_in_bulk_summarises_each(admin, reader, writer, actor):
    actions.revoke_key(key=writer.row, reason="before", actor=actor)
    address = reverse("admin:apikeys_apikey_revoke") + f"?rows={reader.row.pk},{writer.row.pk}"
    text = admin.post(address, {"reason": "leak"}).content.decode()
    assert "chip-done" in text
    assert "already revoked: before" in text
    assert ApiKey.objects.get(pk=reader.row.pk).is_revoked


def test_revoke_of_an_own_and_a_foreign_key_together_does_neither(issuer, reader, stranger):
    address = reverse("admin:apikeys_apikey_revoke") + f"?rows={reader.row.pk},{stranger.row.pk}"
    assert issuer.post(address, {"reason": "r"}).status_code == 403
    assert not ApiKey.objects.filter(revoked_at__isnull=False).exists()


def test_ticking_a_foreign_key_is_refused(issuer, reader, stranger):
    sent = {"action": "revoke", "_selected_action": [reader.row.pk, stranger.row.pk], "index": 0}
    assert issuer.post(listed("apikey"), sent).status_code == 403


def test_ticking_more_than_a_hundred_is_refused_with_a_word(admin, issue):
    rows = [issue(name=f"key {number}").row.pk for number in range(101)]
    sent = {"action": "revoke", "_selected_action": rows, "index": 0}
    assert "at most 100" in admin.post(listed("apikey"), sent, follow=True).content.decode()


@pytest.mark.parametrize(("grace", "seconds"), [("0", 0), ("3600", 3600), ("86400", 86400), ("604800", 604800)])
def test_rotate_grants_the_grace_that_was_chosen(admin, reader, grace, seconds):
    admin.post(change(reader.row, "rotate"), {"grace": grace})
    old = ApiKey.objects.get(pk=reader.row.pk)
    assert (old.expires_at - old.successor.created_at).total_seconds() == seconds


def test_rotate_other_graces_are_refused(admin, reader):
    assert admin.post(change(reader.row, "rotate"), {"grace": "99999999"}).status_code == 200
    assert ApiKey.objects.count() == 1


def test_pair_shows_who_still_uses_the_old_one_and_until_when(admin, reader, actor, set_columns):
    new = actions.rotate_key(key=reader.row, actor=actor).row
    set_columns(reader, last_used_at=database_now(), last_used_ip="192.0.2.8", last_used_agent="old client")
    for row in (reader.row, new):
        text = admin.get(reverse("admin:apikeys_apikey_rotation", args=[row.pk])).content.decode()
        assert "192.0.2.8" in text
        assert "old client" in text
        assert "in 23 hours" in text
        assert change(reader.row, "revoke") in text


def test_pair_of_a_key_that_was_never_rotated_is_404(admin, reader):
    assert admin.get(reverse("admin:apikeys_apikey_rotation", args=[reader.row.pk])).status_code == 404


def test_note_is_saved(admin, reader):
    admin.post(reverse("admin:apikeys_apikey_note", args=[reader.row.pk]), {"note": "GPU nodes"})
    assert ApiKey.objects.get().note == "GPU nodes"


@pytest.mark.parametrize("note", ["x" * 501, "hk_live_" + "a" * 52], ids=["long", "a key"])
def test_note_against_a_rule_is_told(admin, reader, note):
    address = reverse("admin:apikeys_apikey_note", args=[reader.row.pk])
    assert "error" in admin.post(address, {"note": note}, follow=True).content.decode()
    assert ApiKey.objects.get().note == ""


def test_note_by_address_alone_is_refused(admin, reader):
    assert admin.get(reverse("admin:apikeys_apikey_note", args=[reader.row.pk])).status_code == 403


def test_disable_and_enable_a_key(admin, reader):
    admin.post(change(reader.row, "disable"), {"reason": "holiday"})
    assert ApiKey.objects.get().is_disabled
    admin.post(change(reader.row, "enable"), {"reason": ""})
    assert not ApiKey.objects.get().is_disabled
