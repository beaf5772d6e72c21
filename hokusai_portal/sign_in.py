"""Signing in to browse MLflow, on either host, at the admin's pace; the admin has a page of its own for that."""

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpResponse

from apikeys import trail
from apikeys.sessions import UI_HOST_MARK
from apikeys.sign_in import PacedAuthenticationForm
from apikeys.site import actor_of


class SignInView(LoginView):
    """Django's own, for staff. Its form names no action, so that what stands behind # outlives it."""

    template_name = "hokusai_portal/sign_in.html"
    next_page = "home"
    authentication_form = PacedAuthenticationForm

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        if self.request.get_host().lower() == settings.HOKUSAI_UI_HOST:
            self.request.session[UI_HOST_MARK] = True
        trail.record_sign_in(actor=actor_of(self.request))
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if isinstance(form, PacedAuthenticationForm) and form.wait_seconds is not None:
            response.status_code = 429
            response["Retry-After"] = str(form.wait_seconds)
        return response
