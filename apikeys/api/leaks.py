"""Takes in keys that were found where they do not belong: whoever holds one may end it. Knows no other right."""

from typing import Any, cast

import structlog
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys import actions, notices, trail
from apikeys.api.parameters import KEY_IN_BODY
from apikeys.api.views import KeyInQuestion
from apikeys.authentication import Claim, claim_of, client_address
from apikeys.models import ApiKey
from apikeys.rules import AlreadyRevokedError
from apikeys.views import CountedView

REASON = "Reported as leaked by somebody who holds it"


class ReportSerializer(serializers.Serializer[Any]):
    """The whole key that was found."""

    key = serializers.CharField()


class LeakSerializer(serializers.Serializer[Any]):
    """What is said of a key that was reported, the first time and every time."""

    key_id = serializers.CharField()
    status = serializers.ChoiceField(choices=["revoked"])
    revoked_at = serializers.DateTimeField()


class LeakedKey(KeyInQuestion):
    """The key in the body: it proves that its sender holds it, whether or not it still works.

    Never one in a header: that is mostly the reporter's own, which a mistake in the body must not end.
    """

    field = "key"

    def claim(self, request: Request) -> Claim:
        key = self.key_in_body(request)
        return claim_of({} if key is None else {"X-Api-Key": key}, client_address(request))

    def prove(self, claim: Claim) -> ApiKey:
        return claim.genuine()

    def note_use(self, row: ApiKey, request: Request) -> None:
        """Remember nothing: a report is not a use, and who used it last is what its owner will ask."""


class LeakView(CountedView):
    """Revoke the key that is sent, tell its service's contact, and say the same however often it is sent."""

    authentication_classes = (LeakedKey,)
    permission_classes = ()
    serializer_class = LeakSerializer
    http_method_names = ("post",)

    @extend_schema(request=ReportSerializer, responses=LeakSerializer, auth=KEY_IN_BODY)
    def post(self, request: Request) -> Response:
        """Report a key as leaked: it is revoked at once."""
        key = cast("ApiKey", request.auth)
        request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
        actor = actions.Actor(name=trail.LEAK_REPORTER, address=client_address(request), request_id=request_id)
        try:
            key = actions.revoke_key(key=key, reason=REASON, actor=actor)
            notices.tell_of_leak(key)
        except AlreadyRevokedError:
            key.refresh_from_db()
        facts = {"key_id": key.public_id, "status": "revoked", "revoked_at": key.revoked_at}
        return Response(LeakSerializer(facts).data, headers={"Cache-Control": "no-store"})
