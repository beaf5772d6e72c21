"""Where the proxy is mounted: each tracking URI that was ever advertised leads to the same view."""

from django.urls import path, re_path

from mlflow_proxy.ui.doors import open_api, open_ui
from mlflow_proxy.views import MlflowProxyView

_view = MlflowProxyView.as_view()

# Not a dot: a name with a line feed must reach the view and its 400, not fall out of the router.
urlpatterns = [
    path("api/mlflow", open_api, {"mount": "/api/mlflow"}),
    path("api/mlflow/", open_api, {"mount": "/api/mlflow"}),
    re_path(r"^api/mlflow/(?P<rest>[\s\S]+)$", _view, {"mount": "/api/mlflow"}),
    path("mlflow", open_ui, {"mount": "/mlflow"}),
    path("mlflow/", open_ui, {"mount": "/mlflow"}, name="mlflow-ui"),
    re_path(r"^mlflow/(?P<rest>[\s\S]+)$", open_ui, {"mount": "/mlflow"}),
    re_path(r"^(?P<rest>api/[23]\.0/mlflow(?:-artifacts)?/[\s\S]+)$", _view, {"mount": ""}),
]
