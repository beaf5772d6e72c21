"""Explains over REST whether a key would be let through with a call; the view that serves real calls decides."""

from dataclasses import asdict
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.api.base import ApiView
from apikeys.api.fields import Address, QuerySerializer, Text
from apikeys.authentication import client_address
from apikeys.models import ApiKey
from apikeys.redaction import redact_keys
from mlflow_proxy.explanations import NotProxiedError, explain


class QuestionSerializer(QuerySerializer):
    """A call to MLflow that somebody might make."""

    method = serializers.RegexField(r"\A[A-Za-z]{1,20}\Z")
    path = serializers.RegexField(
        r"\A/", max_length=8000, trim_whitespace=False, help_text="As a client sends it: /api/mlflow/api/2.0/…"
    )
    key = Text(max_length=24, required=False, help_text="Public id; the calling key unless told otherwise.")
    address = Address(required=False, help_text="Judges the key's networks for this address.")


class ExplanationSerializer(serializers.Serializer[Any]):
    """What would happen to the call."""

    key_id = serializers.CharField()
    method = serializers.CharField()
    path = serializers.CharField(help_text="Without the secret of a key that somebody pasted into it.")
    address = serializers.IPAddressField(allow_null=True)
    is_allowed = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True, help_text="Of the refusal.")
    reason = serializers.CharField(help_text="Of the refusal, as documented among the errors.")
    detail = serializers.CharField()
    operation = serializers.CharField(help_text="Empty where no route was found.")
    resource = serializers.CharField()
    required_scope = serializers.CharField(allow_null=True)
    held_scopes = serializers.ListField(child=serializers.CharField())
    granted_by = serializers.ListField(child=serializers.CharField(), help_text="The scopes that open the route.")
    workspace = serializers.CharField(allow_null=True)
    not_judged = serializers.ListField(child=serializers.CharField(), help_text="What could still end the call.")


class ExplainView(ApiView):
    """Whether a key would be let through with a call, and why."""

    serializer_class = ExplanationSerializer
    looks_up = True

    @extend_schema(parameters=[QuestionSerializer])
    def get(self, request: Request) -> Response:
        """Explain a call, for the calling key or for one that the caller may see."""
        return self.explained(self.asked(QuestionSerializer))

    @extend_schema(request=QuestionSerializer, responses=ExplanationSerializer)
    def post(self, request: Request) -> Response:
        """Explain a call whose path is better not in an address."""
        return self.explained(self.sent(QuestionSerializer))

    def explained(self, question: dict[str, Any]) -> Response:
        key = self._key_in_question(question.get("key"))
        is_own = self.request.auth is not None and self.request.auth.pk == key.pk
        address = question.get("address") or (client_address(self.request) if is_own else None)
        try:
            told = explain(key, question["method"], question["path"], address=address)
        except NotProxiedError as error:
            raise NotFound(str(error)) from None
        asked = {"key_id": key.public_id, "method": question["method"], "path": redact_keys(question["path"])}
        return Response(ExplanationSerializer(asked | {"address": address} | asdict(told)).data)

    def _key_in_question(self, public_id: str | None) -> ApiKey:
        own: Any = self.request.auth
        if public_id is None and own is None:
            raise serializers.ValidationError({"key": "Say of which key: a session has none of its own."})
        if own is not None and public_id in {None, own.public_id}:
            visible = ApiKey.objects.filter(pk=own.pk)
        else:
            visible = self.rights.keys().filter(public_id=public_id)
        key = visible.with_validity().first()
        if key is None:
            raise Http404
        return key
