"""What drf-spectacular cannot read from the views: problems, credentials, strictness. Decides nothing at run time."""

from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta

from apikeys import conf
from apikeys.api.meanings import MEANINGS
from apikeys.models import SERVICE_ID_PATTERN

Schema = dict[str, Any]

CONTROL = r"\u0000-\u001f\u007f-\u009f"
LINE = f"[^{CONTROL}]"
BLANK: Schema = {"type": "string", "maxLength": 0}
PROBLEM: Schema = {
    "type": "object",
    "description": "A problem (RFC 9457). Some carry more facts, as docs/errors.md says.",
    "required": ["type", "title", "status", "reason", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Its entry on the page of errors."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "reason": {"type": "string", "enum": list(MEANINGS)},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
# What any call may meet; 424 and 503 are the portal's own, 405 has no operation.
ALWAYS = (400, 401, 403, 406, 424, 429, 503)
WRITES = (409, 413, 415)


class PortalSchema(AutoSchema):
    """Adds to each operation the problems that it may answer with."""

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        bodies: Schema = super()._get_response_bodies(direction)
        for status in self._problems():
            reasons = [reason for reason, meaning in MEANINGS.items() if meaning.status == status]
            content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            bodies[str(status)] = {"description": ", ".join(reasons), "content": content}
        return dict(sorted(bodies.items()))

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").partition("/")[0]]

    def _problems(self) -> list[int]:
        found = [*ALWAYS, *(WRITES if self.method in {"POST", "PATCH"} else ())]
        looks_up = "{" in self.path or getattr(self.view, "looks_up", False)
        found += [404] if looks_up else []
        found += [409] if self.method == "DELETE" else []
        return found + ([412, 428] if self.method == "PATCH" else [])


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """An API key, in one of its two usual carriers."""

    target_class = "apikeys.authentication.ApiKeyAuthentication"
    match_subclasses = True
    name = ["bearer", "header"]

    def get_security_definition(self, auto_schema: Any) -> list[Schema]:
        return [{"type": "http", "scheme": "bearer"}, {"type": "apiKey", "in": "header", "name": "X-API-Key"}]


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A session of staff; writes need X-CSRFToken beside it."""

    target_class = "apikeys.api.credentials.StaffSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class StrictObject(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Requests know their fields."""

    target_class = "apikeys.api.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # noqa: SLF001
        return schema | {"additionalProperties": False}


class WordSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A word that is looked for has a character at least."""

    target_class = "apikeys.api.fields.Word"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.target.max_length}


class ServiceIdSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The shape of a service id."""

    target_class = "apikeys.api.fields.ServiceId"
    priority = 1

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        return {"type": "string", "pattern": SERVICE_ID_PATTERN}


class TextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """One line; and a text that must say something says so."""

    target_class = "apikeys.api.fields.Text"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        pattern = rf"^{LINE}*$" if self.target.allow_blank else rf"^{LINE}*[^{CONTROL}\s]{LINE}*$"
        return {"type": "string", "pattern": pattern, "maxLength": self.target.max_length}


class DaysSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The longest lifetime is the deployment's."""

    target_class = "apikeys.api.fields.Days"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        return append_meta({"type": "integer", "minimum": 1, "maximum": conf.maximum_days()}, {})


class NetworksSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Networks have a format of their own."""

    target_class = "apikeys.api.fields.Networks"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        item = {"type": "string", "format": "ip-network", "maxLength": 50, "example": "192.0.2.0/24"}
        return {"type": "array", "maxItems": self.target.max_length, "items": item}


class AddressSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An address of either kind."""

    target_class = "apikeys.api.fields.Address"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        return {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}


def without_last_slash(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Return the endpoints of the REST API, each under its shorter address."""
    ours = (endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/"))
    return [(path.rstrip("/"), regex, method, callback) for path, regex, method, callback in ours]


def completed(result: Schema, **_: Any) -> Schema:
    """Add the problem document, and that a list of keys is an array where the predecessor's parameters ask for it."""
    schemas = result["components"]["schemas"]
    schemas["Problem"] = PROBLEM
    for schema in schemas.values():
        properties = schema.get("properties", {})
        properties |= {name: _without_blank(field) for name, field in properties.items()}
    content = result["paths"]["/api/v1/keys"]["get"]["responses"]["200"]["content"]["application/json"]
    content["schema"] = {"anyOf": [content["schema"], {"type": "array", "items": {"$ref": "#/components/schemas/Key"}}]}
    return result


def _without_blank(field: Schema) -> Schema:
    """Return a field without the blank text that drf-spectacular offers beside a pattern, which knows it already."""
    kinds: list[Schema] = field.get("oneOf", [])
    if BLANK not in kinds:
        return field
    return {word: value for word, value in field.items() if word != "oneOf"} | kinds[0]
