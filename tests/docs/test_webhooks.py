"""docs/webhooks.md has a row for each type of message, and its verification verifies."""

import time

import pytest

from apikeys import outbox, signatures
from apikeys.deliveries import STATUSES, TEST, TYPES
from tests.docs.documents import blocks, rows, sections, text

PAGE = "docs/webhooks.md"
SECRET = signatures.as_text(b"s" * 32)
BODY = b'{"type": "webhook.test"}'


@pytest.fixture(scope="module")
def is_ours():
    (snippet,) = blocks(PAGE, "python")
    names = {}
    exec(snippet, names)
    return names["is_ours"]


def signed(*secrets, at=0.0):
    keys = [signatures.as_bytes(secret) for secret in secrets or (SECRET,)]
    return signatures.headers(keys, "msg_1", int(time.time() + at), BODY)


def test_type_of_message_has_a_row_with_its_meaning():
    told = {word: cells[0] for word, cells in rows(sections(PAGE)["Messages"]).items() if word not in {"type", "---"}}
    assert told == {**TYPES, TEST: "somebody sends a test"}


def test_status_of_a_delivery_has_a_row_with_its_meaning():
    told = rows(sections("docs/admin.md")["Webhooks"])
    assert {word: told[word][0] for word in STATUSES} == dict(STATUSES)


def test_back_off_is_the_one_of_the_code():
    assert [int(pause.total_seconds()) for pause in outbox.BACK_OFF] == [10, 60, 300, 1800, 7200, 18000, 36000]
    assert "after 10 seconds, a minute, 5 minutes, half an hour, 2, 5 and 10 hours" in text(PAGE)


def test_verification_takes_what_the_portal_signs(is_ours):
    assert is_ours(SECRET, signed(), BODY)


def test_verification_takes_either_secret_while_both_sign(is_ours):
    new = signatures.as_text(b"n" * 32)
    assert is_ours(SECRET, signed(new, SECRET), BODY)
    assert is_ours(new, signed(new, SECRET), BODY)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (signed(signatures.as_text(b"o" * 32)), BODY),
        (signed(), BODY + b" "),
        (signed() | {"webhook-id": "msg_2"}, BODY),
        (signed() | {"webhook-signature": "v1,\u00e9 v2,x"}, BODY),
        (signed(at=-86400), BODY),
        (signed(at=86400), BODY),
    ],
    ids=["other secret", "other body", "other id", "nonsense", "yesterday", "tomorrow"],
)
def test_verification_refuses_what_is_not_ours_or_not_now(is_ours, headers, body):
    assert not is_ours(SECRET, headers, body)
