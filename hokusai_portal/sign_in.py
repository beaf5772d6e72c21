"""Signing in to MLflow's web interface and out of the portal, on either host; the admin has its own page for that."""

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpResponse

from hokusai_portal.middleware import UI_HOST_MARK


class SignInView(LoginView):
    """Django's own, for staff. Its form names no action, so that what stands behind # outlives it."""

    template_name = "hokusai_portal/sign_in.html"
    next_page = "home"
    authentication_form = admin.site.login_form or AdminAuthenticationForm

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        if self.request.get_host().lower() == settings.HOKUSAI_UI_HOST:
            self.request.session[UI_HOST_MARK] = True
        return response
