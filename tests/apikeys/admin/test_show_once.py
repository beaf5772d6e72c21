"""A key's secret: once, in the answer to a POST that nothing may store, and nowhere else."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.urls import reverse

from apikeys import actions, keys
from apikeys.authentication import verify
from apikeys.models import ApiKey, AuditEvent
from tests.apikeys.admin.conftest import change, listed, page

ISSUE = reverse("admin:apikeys_apikey_add")
SHOWN = re.compile(r"hk_live_[0-9A-Za-z]{52}")


def form(service, **more):
    token = {"environment": "live", "form_token": "token-1"}
    return {"service": service.pk, "name": "ci", "preset": "contributor"} | token | more


def secrets_in(response):
    return [text for text in dict.fromkeys(SHOWN.findall(response.content.decode())) if keys.parse(text)]


def everything_stored():
    """Every text of every table, sessions decoded."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = []
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join([*found, *(json.dumps(session.get_decoded()) for session in Session.objects.all())])


def test_show_once_secret_is_in_the_answer_and_works(admin, platform):
    (secret,) = secrets_in(admin.post(ISSUE, form(platform)))
    assert verify(secret).name == "ci"


def test_show_once_answer_is_a_page_that_nothing_may_store(admin, platform):
    response = admin.post(ISSUE, form(platform))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"
    assert "Location" not in response


def test_show_once_secret_is_stored_nowhere(admin, platform):
    (secret,) = secrets_in(admin.post(ISSUE, form(platform)))
    admin.get(listed("apikey"))
    stored = everything_stored()
    assert secret[:20] in stored
    assert secret[20:] not in stored
    assert secret[20:54] not in stored


def test_show_once_secret_is_in_no_cookie_header_or_log(admin, platform, log_output):
    response = admin.post(ISSUE, form(platform))
    (secret,) = secrets_in(response)
    outside = f"{response.headers} {response.cookies} {admin.cookies} {log_output.getvalue()}"
    assert secret[20:] not in outside


def test_show_once_nothing_is_in_djangos_own_log(admin, platform):
    admin.post(ISSUE, form(platform))
    assert not LogEntry.objects.exists()


def test_show_once_page_of_the_key_shows_its_public_id_alone(admin, platform):
    (secret,) = secrets_in(admin.post(ISSUE, form(platform)))
    text = admin.get(page(ApiKey.objects.get())).content.decode()
    assert secret[:20] in text
    assert secret[20:] not in text


def test_show_once_double_submit_makes_one_key_and_shows_no_secret_again(admin, platform):
    (secret,) = secrets_in(admin.post(ISSUE, form(platform)))
    again = admin.post(ISSUE, form(platform))
    assert again.status_code == 200
    assert "sent before" in again.content.decode()
    assert secrets_in(again) == []
    assert ApiKey.objects.get().public_id == secret[:20]
    assert AuditEvent.objects.filter(action="api_key_issued").count() == 1


def test_show_once_two_forms_are_two_keys(admin, platform):
    tokens = [re.search(r'name="form_token" value="([^"]+)"', admin.get(ISSUE).content.decode())[1] for _ in range(2)]
    assert tokens[0] != tokens[1]
    for token in tokens:
        admin.post(ISSUE, form(platform, form_token=token))
    assert ApiKey.objects.count() == 2


def test_show_once_form_without_its_token_is_refused(admin, platform):
    assert admin.post(ISSUE, form(platform, form_token="")).status_code == 200
    assert not ApiKey.objects.exists()


def test_show_once_mistake_in_the_form_shows_the_form_and_no_key(admin, platform):
    response = admin.post(ISSUE, form(platform, expires_in_days=366))
    assert "1 to 365 days" in response.content.decode()
    assert not ApiKey.objects.exists()


def test_show_once_rotation_shows_the_successor_alone(admin, reader):
    (secret,) = secrets_in(admin.post(change(reader.row, "rotate"), {"grace": "3600"}))
    assert verify(secret).predecessor == reader.row
    assert secrets_in(admin.post(change(reader.row, "rotate"), {"grace": "3600"})) == []
    assert ApiKey.objects.count() == 2


def test_show_once_bulk_rotation_shows_each_and_tells_who_was_refused(admin, reader, writer, issue, actor):
    lost = issue(name="lost")
    actions.revoke_key(key=lost.row, reason="lost", actor=actor)
    rows = f"?rows={reader.row.pk},{writer.row.pk},{lost.row.pk}"
    response = admin.post(reverse("admin:apikeys_apikey_rotate") + rows, {"grace": "0"})
    assert sorted(verify(secret).name for secret in secrets_in(response)) == ["reader", "writer"]
    assert "was revoked: lost" in response.content.decode()


def test_show_once_client_is_set_up_without_more_typing(admin, platform):
    text = admin.post(ISSUE, form(platform)).content.decode()
    (secret,) = set(SHOWN.findall(text))
    assert f"export MLFLOW_TRACKING_TOKEN={secret}" in text
    assert "export MLFLOW_TRACKING_URI=http://testserver/api/mlflow" in text
    assert "http://testserver/api/mlflow/api/2.0/mlflow-artifacts/artifacts" in text


def find(client, text):
    return client.post(reverse("admin:apikeys_apikey_find"), {"secret": text}, follow=True)


def test_find_by_the_whole_key_leads_to_its_page(admin, reader):
    response = find(admin, f" {reader.secret.text} ")
    assert response.redirect_chain == [(page(reader.row), 302)]
    assert "its secret is right" in response.content.decode()


def test_find_with_a_made_up_secret_says_so(admin, reader):
    body = reader.row.public_id + keys.mint("live").text[20:-6]
    text = find(admin, body + keys.checksum(body)).content.decode()
    assert "the secret is wrong" in text


def test_find_whose_pepper_is_gone_says_so(admin, reader, settings):
    settings.HOKUSAI_KEY_PEPPERS = {7: b"x" * 32}
    assert "pepper is not configured" in find(admin, reader.secret.text).content.decode()


@pytest.mark.parametrize("text", ["hk_live_short", "", "x" * 300])
def test_find_what_is_no_key_is_told(admin, text):
    assert find(admin, text).status_code == 200


def test_find_foreign_key_is_no_key_for_an_issuer(issuer, reader):
    text = find(issuer, reader.secret.text).content.decode()
    assert "no key" in text
    assert reader.row.name not in text


def test_find_stores_logs_and_repeats_nothing(admin, reader, log_output):
    response = find(admin, reader.secret.text)
    body = reader.secret.text[20:]
    assert body not in response.content.decode()
    assert body not in everything_stored()
    assert body not in log_output.getvalue()
    other = keys.mint("live")
    assert other.text[20:] not in find(admin, other.text).content.decode()


def test_search_with_a_whole_key_warns_and_does_not_repeat_it(admin, reader):
    response = admin.get(listed("apikey"), {"q": reader.secret.text}, follow=True)
    text = response.content.decode()
    assert response.redirect_chain == [(f"{listed('apikey')}?q={reader.row.public_id}", 302)]
    assert "That was a whole key" in text
    assert reader.secret.text[20:] not in text
    assert [row.pk for row in response.context["cl"].result_list] == [reader.row.pk]
