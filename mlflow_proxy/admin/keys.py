"""The screen of keys with how a client of MLflow is set up; shows, and decides nothing."""

from django.contrib import admin

from apikeys.admin.keys import KeyAdmin
from apikeys.models import ApiKey

admin.site.unregister(ApiKey)


@admin.register(ApiKey)
class MlflowKeyAdmin(KeyAdmin):
    """The portal's screen, which knows no client by itself."""

    client_template = "mlflow_proxy/client_setup.html"
