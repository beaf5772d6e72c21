"""Key validation for sibling services: is this key good, and is it that service's? Changes nothing."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.api.parameters import KEY_ANYWHERE
from apikeys.authentication import ApiKeyAuthentication, Claim, claim_of, client_address
from apikeys.models import DEFAULT_SERVICE, ApiKey, Service
from apikeys.permissions import IsExpectedService, IsFromAllowedAddress
from apikeys.views import CountedView


class KeyInQuestion(ApiKeyAuthentication):
    """The key in a header or, as the predecessor's SDK sends it, in the body: there it is what is asked about."""

    field = "api_key"

    def claim(self, request: Request) -> Claim:
        key = self.key_in_body(request)
        return super().claim(request) if key is None else claim_of({"X-Api-Key": key}, client_address(request))

    def key_in_body(self, request: Request) -> str | None:
        """Return the key that is asked about; None where the body holds none."""
        key = _document(request).get(self.field)
        if key is not None and not isinstance(key, str):
            raise ParseError(f"{self.field} must be a string.")
        return key


class ValidationSerializer(serializers.Serializer[Any]):
    """Which service the key should be of, and the key itself unless it stands in a header."""

    service_id = serializers.CharField(required=False)
    api_key = serializers.CharField(required=False, allow_null=True)


class VerdictSerializer(serializers.Serializer[Any]):
    """What is known of a key that is good."""

    is_valid = serializers.BooleanField()  # type: ignore[assignment]  # a word of the wire, not DRF's method
    key_id = serializers.CharField()
    user_id = serializers.CharField()
    service_id = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField()


class ValidateKeyView(CountedView):
    """``{service_id, api_key?}`` to the key's facts; 401 for a bad key, 403 for a good key of another service."""

    authentication_classes = (KeyInQuestion,)
    permission_classes = (IsFromAllowedAddress, IsExpectedService)

    @property
    def expected_service(self) -> str:
        return str(_document(self.request).get("service_id", DEFAULT_SERVICE))

    @extend_schema(request=ValidationSerializer, responses=VerdictSerializer, auth=KEY_ANYWHERE)
    def post(self, request: Request) -> Response:
        """Say whether a key is good, and of which service."""
        service: Service = request.user  # type: ignore[assignment]
        key: ApiKey = request.auth  # type: ignore[assignment]
        facts = {
            "is_valid": True,
            "key_id": key.public_id,
            "user_id": service.owner,
            "service_id": service.service_id,
            "scopes": key.scopes,
            "expires_at": key.expires_at.isoformat(),
        }
        return Response(facts, headers={"Cache-Control": "no-store"})


def _document(request: Request) -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise ParseError("The body must be a JSON object.")
    return request.data
