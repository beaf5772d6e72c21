"""Keys: what is minted parses, what was touched is refused, and a digest names its pepper."""

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apikeys import keys

PEPPERS = {1: b"a" * 32, 2: b"b" * 32}

environments = st.sampled_from(keys.ENVIRONMENTS)
minted = environments.map(keys.mint)
# What a typo or a scanner brings: letters, look-alikes of other alphabets, separators, line ends.
characters = st.one_of(st.sampled_from(keys.ALPHABET + "-_. \n"), st.characters())


@given(environments)
def test_parse_of_a_minted_key_is_the_key(environment):
    key = keys.mint(environment)
    assert keys.parse(key.text) == key


@given(minted)
def test_mint_shape_is_as_documented(key):
    prefix, environment, rest = key.text.split("_")
    assert (prefix, environment, len(rest)) == ("hk", key.environment, 12 + 34 + 6)
    assert key.public_id == f"hk_{environment}_{rest[:12]}"
    assert set(rest) <= set(keys.ALPHABET)


def test_mint_twice_shares_neither_id_nor_secret():
    first, second = keys.mint("live"), keys.mint("live")
    assert first.public_id != second.public_id
    assert first.text[20:-6] != second.text[20:-6]


def test_mint_uses_the_whole_alphabet():
    assert set("".join(keys.mint("live").text[8:] for _ in range(100))) == set(keys.ALPHABET)


@pytest.mark.parametrize("word", ["production", "LIVE", "", "live_"])
def test_mint_unknown_environment_is_refused(word):
    with pytest.raises(ValueError, match="environment must be one of live, test, dev"):
        keys.mint(word)


@given(minted, st.data())
def test_parse_any_changed_character_is_refused(key, data):
    position = data.draw(st.integers(0, len(key.text) - 1))
    other = data.draw(characters.filter(lambda character: character != key.text[position]))
    with pytest.raises(keys.MalformedKeyError):
        keys.parse(key.text[:position] + other + key.text[position + 1 :])


@given(minted, st.integers(0, 58))
def test_parse_missing_character_is_refused(key, position):
    with pytest.raises(keys.MalformedKeyError):
        keys.parse(key.text[:position] + key.text[position + 1 :])


@given(minted, st.integers(0, 60), characters)
def test_parse_added_character_is_refused(key, position, character):
    with pytest.raises(keys.MalformedKeyError):
        keys.parse(key.text[:position] + character + key.text[position:])


@given(st.one_of(st.text(), st.from_regex(keys.PATTERN, fullmatch=True)))
def test_parse_any_text_raises_nothing_but_malformed(text):
    with contextlib.suppress(keys.MalformedKeyError):
        assert keys.parse(text).text == text


@pytest.mark.parametrize("edge", [" ", "\n", "\t", "\x00"])
def test_parse_surrounding_space_is_refused(edge):
    with pytest.raises(keys.MalformedKeyError):
        keys.parse(keys.mint("live").text + edge)


def test_parse_refusal_never_repeats_the_text():
    text = keys.mint("live").text[:-1] + "-"
    with pytest.raises(keys.MalformedKeyError) as caught:
        keys.parse(text)
    assert text[20:40] not in str(caught.value)


@given(st.from_regex(r"\A[!-~]{0,80}\Z"))
def test_checksum_is_crc32_in_base_62(body):
    number = 0
    for digit in keys.checksum(body):
        number = number * 62 + keys.ALPHABET.index(digit)
    assert number == zlib.crc32(body.encode())


def test_checksum_of_the_largest_crc_fits_six_digits():
    assert 62**keys.CHECKSUM_LENGTH > 0xFFFFFFFF


def test_key_repr_hides_the_secret():
    key = keys.mint("test")
    assert key.text[20:] not in repr(key)
    assert key.public_id in repr(key)


@given(minted)
def test_digest_is_64_hexadecimal_digits(key):
    assert len(bytes.fromhex(keys.digest(key, 1, PEPPERS))) == 32


def test_digest_differs_by_pepper():
    key = keys.mint("live")
    assert keys.digest(key, 1, PEPPERS) != keys.digest(key, 2, PEPPERS)


def test_digest_differs_by_key():
    assert keys.digest(keys.mint("live"), 1, PEPPERS) != keys.digest(keys.mint("live"), 1, PEPPERS)


def test_digest_unknown_pepper_is_named():
    with pytest.raises(keys.UnknownPepperError, match="pepper 3 is not configured"):
        keys.digest(keys.mint("live"), 3, PEPPERS)


def test_is_digest_of_the_own_key_is_true():
    key = keys.mint("live")
    assert keys.is_digest_of(keys.digest(key, 2, PEPPERS), key, 2, PEPPERS)


def test_is_digest_of_another_key_is_false():
    stored = keys.digest(keys.mint("live"), 2, PEPPERS)
    assert not keys.is_digest_of(stored, keys.mint("live"), 2, PEPPERS)


def test_is_digest_of_under_another_pepper_is_false():
    key = keys.mint("live")
    assert not keys.is_digest_of(keys.digest(key, 1, PEPPERS), key, 2, PEPPERS)


def test_is_digest_of_compares_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda *pair: bool(compared.append(pair)))
    keys.is_digest_of("0" * 64, keys.mint("live"), 1, PEPPERS)
    assert compared[0][0] == "0" * 64


def test_parse_peppers_reads_numbers_and_bytes():
    assert keys.parse_peppers(f"1:{'a' * 32}, 12:{'b:' * 20}") == {1: b"a" * 32, 12: b"b:" * 20}


@pytest.mark.parametrize("entry", ["", "a" * 40, f"x:{'a' * 32}", f"-1:{'a' * 32}", "1:" + "a" * 31, f":{'a' * 32}"])
def test_parse_peppers_bad_entry_is_named_by_position(entry):
    with pytest.raises(ValueError, match="entry 2 must look like"):
        keys.parse_peppers(f"7:{'c' * 32},{entry}")


def test_parse_peppers_repeated_number_is_refused():
    with pytest.raises(ValueError, match="entry 2 repeats the number 1"):
        keys.parse_peppers(f"1:{'a' * 32},1:{'b' * 32}")


def test_parse_peppers_refusal_never_repeats_the_value():
    with pytest.raises(ValueError, match="entry 1") as caught:
        keys.parse_peppers("hunter2hunter2")
    assert "hunter2" not in str(caught.value)
