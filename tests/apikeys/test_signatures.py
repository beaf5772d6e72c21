"""Signatures of webhooks: those of the specification, and secrets that can be made again and never read."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apikeys import signatures
from apikeys.keys import UnknownPepperError

PEPPERS = {1: b"a" * 32, 2: b"b" * 32}
SEED = "1:00112233445566778899aabbccddeeff"
# The example of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SIGNED = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_headers_of_the_specifications_example_are_its():
    made = signatures.headers([signatures.as_bytes(SECRET)], SIGNED["webhook-id"], 1614265330, BODY)
    assert made == SIGNED


def test_headers_with_two_secrets_carry_a_signature_of_each():
    both = signatures.headers([b"new", b"old"], "m", 1, BODY)["webhook-signature"]
    each = [signatures.headers([secret], "m", 1, BODY)["webhook-signature"] for secret in (b"new", b"old")]
    assert both.split(" ") == each


@pytest.mark.parametrize("change", [{"message_id": "n"}, {"timestamp": 2}, {"body": b"x"}, {"keys": [b"other"]}])
def test_signature_is_another_for_another(change):
    facts = {"keys": [b"key"], "message_id": "m", "timestamp": 1, "body": BODY}
    one, other = (signatures.headers(**asked)["webhook-signature"] for asked in (facts, facts | change))
    assert one != other


def test_secret_is_the_same_each_time_and_of_32_bytes():
    made = [signatures.secret_of(SEED, PEPPERS) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) == 32


@pytest.mark.parametrize("seed", ["2:00112233445566778899aabbccddeeff", "1:00112233445566778899aabbccddeefe"])
def test_secret_is_another_for_another_pepper_or_seed(seed):
    assert signatures.secret_of(seed, PEPPERS) != signatures.secret_of(SEED, PEPPERS)


def test_secret_of_a_pepper_that_is_gone_is_unknown():
    with pytest.raises(UnknownPepperError):
        signatures.secret_of(SEED, {2: b"b" * 32})


def test_new_seed_is_of_the_newest_pepper_and_never_the_same():
    seeds = {signatures.new_seed(PEPPERS) for _ in range(50)}
    assert len(seeds) == 50
    assert {signatures.pepper_of(seed) for seed in seeds} == {2}


@given(st.binary(min_size=1))
def test_secret_as_text_is_the_same_as_bytes(secret):
    assert signatures.as_bytes(signatures.as_text(secret)) == secret


@pytest.mark.parametrize(
    "text", ["sixteen letters and more", "whsec_not base64!", base64.b64encode(b"x" * 24).decode()]
)
def test_secret_of_an_operator_counts_as_it_is_written(text):
    assert signatures.as_bytes(text) == text.encode()
