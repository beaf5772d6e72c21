"""Addresses of the REST API that know of MLflow; with and without a trailing slash, like those of apikeys."""

from django.urls import re_path

from mlflow_proxy.api.explain import ExplainView
from mlflow_proxy.api.health import HealthHistoryView, HealthView, NewCheckView
from mlflow_proxy.api.routes import RoutesView

urlpatterns = [
    re_path(r"^explain/?$", ExplainView.as_view(), name="explain"),
    re_path(r"^routes/?$", RoutesView.as_view(), name="routes"),
    re_path(r"^storage/health/?$", HealthView.as_view(), name="health-report"),
    re_path(r"^storage/health/history/?$", HealthHistoryView.as_view(), name="health-history"),
    re_path(r"^storage/health/checks/?$", NewCheckView.as_view(), name="health-check"),
]
