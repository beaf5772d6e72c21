"""Addresses of the REST API; with and without a trailing slash, because a redirected POST loses its body."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from apikeys.api.keys import KeyViewSet
from apikeys.api.services import ServiceViewSet
from apikeys.api.views import ValidateKeyView

router = SimpleRouter(trailing_slash=False)
router.trailing_slash = "/?"
router.register("services", ServiceViewSet, basename="service")
router.register("keys", KeyViewSet, basename="api-key")

urlpatterns = [
    # Before the router's: it is not a key of that id.
    re_path(r"^keys/validate/?$", ValidateKeyView.as_view(), name="validate-key"),
    *router.urls,
]
