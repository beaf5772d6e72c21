"""What a caller may ask of itself, and the words that keys hold; decides nothing."""

from typing import Any, cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys import scopes
from apikeys.api.base import ApiView
from apikeys.api.fields import QuerySerializer
from apikeys.api.key_documents import KeySerializer
from apikeys.api.keys import documented
from apikeys.authentication import client_address
from apikeys.models import ApiKey


class WhoAmISerializer(serializers.Serializer[Any]):
    """The caller: a key with its document, or an account of staff with its groups and no key."""

    kind = serializers.ChoiceField(choices=["key", "staff"])
    name = serializers.CharField(help_text="As the audit trail names the caller.")
    address = serializers.IPAddressField(allow_null=True, help_text="Where the portal sees the call come from.")
    granted_scopes = serializers.ListField(child=serializers.CharField(), help_text="Those held and those implied.")
    groups = serializers.ListField(child=serializers.CharField())
    key = KeySerializer(allow_null=True)


class WhoAmIView(ApiView):
    """Who calls, as the portal sees it."""

    serializer_class = WhoAmISerializer

    def get(self, request: Request) -> Response:
        """Say who calls, from where, and what the key may do."""
        self.asked(QuerySerializer)
        own = cast("ApiKey | None", request.auth)
        key = None if own is None else documented(ApiKey.objects.filter(pk=own.pk)).get()
        held = key.scopes if key else ()
        facts = {
            "kind": "staff" if key is None else "key",
            "name": self.rights.name,
            "address": client_address(request),
            "granted_scopes": sorted({word for each in held for word in scopes.implied_by(each)}),
            "groups": self.rights.groups,
            "key": key,
        }
        return Response(WhoAmISerializer(facts).data)


class ScopeSerializer(serializers.Serializer[Any]):
    scope = serializers.CharField()
    description = serializers.CharField()
    implies = serializers.ListField(child=serializers.CharField())
    presets = serializers.ListField(child=serializers.CharField(), help_text="Those that hold it.")


class ScopeListSerializer(serializers.Serializer[Any]):
    """All of it at once: there is no next page."""

    results = ScopeSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ScopesView(ApiView):
    """The closed list of scopes."""

    serializer_class = ScopeListSerializer

    def get(self, request: Request) -> Response:
        """List the scopes, what each lets a key do, and the presets that hold it."""
        self.asked(QuerySerializer)
        results = [
            {
                "scope": word,
                "description": description,
                "implies": sorted(scopes.implied_by(word) - {word}),
                "presets": [name for name, words in scopes.PRESETS.items() if word in words],
            }
            for word, description in scopes.DESCRIPTIONS.items()
        ]
        return Response({"results": results, "next": None, "previous": None})
