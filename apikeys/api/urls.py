"""Addresses of the REST API; with and without a trailing slash, because a redirected POST loses its body."""

from django.urls import re_path

from apikeys.api.views import ValidateKeyView

urlpatterns = [re_path(r"^keys/validate/?$", ValidateKeyView.as_view(), name="validate-key")]
