"""Addresses of the REST API; with and without a trailing slash, because a redirected POST loses its body."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from apikeys.api.audit import AuditEventViewSet
from apikeys.api.identity import ScopesView, WhoAmIView
from apikeys.api.keys import KeyViewSet
from apikeys.api.leaks import LeakView
from apikeys.api.services import ServiceViewSet
from apikeys.api.usage import UsageViewSet
from apikeys.api.views import ValidateKeyView

router = SimpleRouter(trailing_slash=False)
router.trailing_slash = "/?"
router.register("services", ServiceViewSet, basename="service")
router.register("keys", KeyViewSet, basename="api-key")
router.register("usage", UsageViewSet, basename="usage")
router.register("audit-events", AuditEventViewSet, basename="audit-event")

urlpatterns = [
    # Before the router's: it is not a key of that id.
    re_path(r"^keys/validate/?$", ValidateKeyView.as_view(), name="validate-key"),
    re_path(r"^leaks/?$", LeakView.as_view(), name="leaks"),
    re_path(r"^scopes/?$", ScopesView.as_view(), name="scopes"),
    re_path(r"^whoami/?$", WhoAmIView.as_view(), name="whoami"),
    *router.urls,
]
