"""The addresses on the host of MLflow's web interface: it, signing in to it, and whatever a key opens; no admin."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from hokusai_portal import sign_in, views
from hokusai_portal.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="mlflow-ui"), name="home"),
    path("sign-in", sign_in.SignInView.as_view(), name="sign-in"),
    path("sign-out", LogoutView.as_view(next_page="sign-in"), name="sign-out"),
    path("health", views.health, name="health"),
    path("live", views.live, name="live"),
    path("api/v1/", include("apikeys.api.urls")),
    path("", include("mlflow_proxy.urls")),
]
