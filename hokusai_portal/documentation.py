"""The REST API about itself: its schema, a page to read and try it, and the page of errors; owns no operation."""

from functools import cache
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.api.base import ApiView
from apikeys.api.meanings import MEANINGS

SIDECAR = "drf_spectacular_sidecar/swagger-ui-dist"
SCRIPTS: list[Any] = [
    Script(f"{SIDECAR}/swagger-ui-bundle.js", defer=True),
    Script("hokusai_portal/api_docs.js", defer=True),
]
MEDIA = Media(css={"all": [f"{SIDECAR}/swagger-ui.css", "hokusai_portal/api_docs.css"]}, js=SCRIPTS)


@cache
def schema() -> dict[str, Any]:
    """Return the OpenAPI document; docs/openapi.json is the same, committed."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document


@extend_schema(exclude=True)
class SchemaView(ApiView):
    """The OpenAPI document, as JSON or YAML, for whoever may call at all."""

    renderer_classes = (OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer)

    def get(self, request: Request) -> Response:
        return Response(schema())


@extend_schema(exclude=True)
class DocsView(ApiView):
    """A page to read the document and try its operations, with the session of whoever looks at it."""

    renderer_classes = (TemplateHTMLRenderer,)

    def get(self, request: Request) -> Response:
        return Response({"media": MEDIA}, template_name="hokusai_portal/api_docs.html")

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        """Lead a person to the login; whoever asks for something else than a page is told the problem."""
        if isinstance(exc, AuthenticationFailed) and "text/html" in self.request.headers.get("Accept", ""):
            return redirect_to_login(self.request.path)
        return super().handle_exception(exc)


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    """Where the ``type`` of a problem leads; public, because a caller without a valid key gets problems too."""
    return render(request, "hokusai_portal/api_errors.html", {"meanings": MEANINGS})
