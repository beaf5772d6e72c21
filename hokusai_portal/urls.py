"""The portal's addresses, composed from its apps; no rule lives here."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path, re_path

from apikeys.api.base import NothingView
from hokusai_portal import documentation, scrape, sign_in, views

handler400 = "hokusai_portal.views.bad_request"
handler403 = "hokusai_portal.views.permission_denied"
handler404 = "hokusai_portal.views.not_found"
handler500 = "hokusai_portal.views.server_error"

urlpatterns = [
    # First, because almost all calls go there; it matches none of the others.
    path("", include("mlflow_proxy.urls")),
    path("", views.home, name="home"),
    path("health", views.health, name="health"),
    path("live", views.live, name="live"),
    path("ready", views.ready, name="ready"),
    path("api/health/mlflow", views.mlflow_health, name="mlflow-health"),
    path("metrics", scrape.MetricsView.as_view(), name="metrics"),
    path("sign-in", sign_in.SignInView.as_view(), name="sign-in"),
    path("sign-out", LogoutView.as_view(next_page="sign-in"), name="sign-out"),
    path("admin/storage-health/", include("mlflow_proxy.admin.urls")),
    path("admin/", admin.site.urls),
    re_path(r"^api/schema/?$", documentation.SchemaView.as_view(), name="api-schema"),
    re_path(r"^api/docs/?$", documentation.DocsView.as_view(), name="api-docs"),
    path("api/docs/errors", documentation.errors, name="api-errors"),
    path("api/v1/", include("apikeys.api.urls")),
    path("api/v1/", include("mlflow_proxy.api.urls")),
    re_path(r"^api/v1/(?P<rest>[\s\S]*)$", NothingView.as_view(), name="api-nothing"),
]
