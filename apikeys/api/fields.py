"""How fields of the REST API are read: by their JSON type, each known by name, in keeping with the rules; pure reading.

A word for a number, a number for a word or a field that nobody asked for is refused and not guessed at.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.core.validators import RegexValidator
from django.http import QueryDict
from rest_framework import serializers

from apikeys import rules, scopes
from apikeys.api.pages import MAXIMUM_SIZE, SIZE
from apikeys.models import SERVICE_ID_PATTERN
from apikeys.rules import ActionRefusedError

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
HINTS = {"expires_at": "Send expires_in_days, a number of days."}


class Word(serializers.CharField):
    """What somebody looks for, taken as it stands; space is no mistake."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)


class Text(serializers.CharField):
    """One line of JSON text that holds no API key and nothing that steers a terminal; of its length, space counts."""

    default_error_messages = {"control": "Control characters have no place here."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = super().to_internal_value(data)
        if CONTROL.search(text):
            self.fail("control")
        if not text.strip() and not self.allow_blank:
            self.fail("blank")
        kept_to(rules.refuse_secret)(text)
        return text


class Whole(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Days(Whole):
    """A lifetime within policy."""

    def to_internal_value(self, data: Any) -> int:
        days = super().to_internal_value(data)
        kept_to(rules.refuse_days)(days)
        return days


class Reason(Text):
    """Why something is done; the audit trail keeps it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=rules.MAXIMUM_REASON_LENGTH, **kwargs)


class ServiceId(Text):
    """The id of a service that is to be."""

    def __init__(self, **kwargs: Any) -> None:
        # A dollar sign would let a line feed through.
        shape = RegexValidator(SERVICE_ID_PATTERN.replace("$", r"\Z"))
        super().__init__(max_length=63, validators=[shape], **kwargs)


class Address(serializers.IPAddressField):
    """An IPv4 or IPv6 address."""


class ListAsSent(serializers.ListField):
    """A list whose length is judged as it was sent; DRF judges what has become of it, without repetitions."""

    def to_internal_value(self, data: Any) -> list[str]:
        values: list[str] = super().to_internal_value(data)
        self.run_validators(values)
        return values


class Networks(ListAsSent):
    """Addresses and networks, in their canonical spelling."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=50), max_length=100, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        return kept_to(rules.networks)(super().to_internal_value(data))  # type: ignore[no-any-return]


class Scopes(ListAsSent):
    """Words of the list of scopes, or of another one."""

    def __init__(self, words: Iterable[str] = scopes.DESCRIPTIONS, **kwargs: Any) -> None:
        super().__init__(child=serializers.ChoiceField(choices=list(words)), max_length=50, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        return sorted(set(super().to_internal_value(data)))


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses what it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = {name: HINTS.get(name, "This field is not known here.") for name in set(data) - set(self.fields)}
        if unknown:
            raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class QuerySerializer(StrictSerializer):
    """Parameters of a query, each at most once."""

    @classmethod
    def read(cls, query: QueryDict) -> dict[str, Any]:
        repeated = [name for name, values in query.lists() if len(values) > 1]
        if repeated:
            raise serializers.ValidationError(dict.fromkeys(repeated, "Send this once."))
        reader = cls(data=query.dict())
        reader.is_valid(raise_exception=True)
        facts: dict[str, Any] = reader.validated_data
        return facts


class PageQuery(QuerySerializer):
    """What every list takes beside its filters."""

    page_size = serializers.IntegerField(required=False, min_value=1, max_value=MAXIMUM_SIZE, default=SIZE)
    cursor = Word(required=False, max_length=500)


def kept_to(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that keeps a rule of apikeys.rules and complains as a field does."""

    def keep(value: Any) -> Any:
        try:
            return rule(value)
        except ActionRefusedError as error:
            raise serializers.ValidationError(str(error)) from None

    return keep
