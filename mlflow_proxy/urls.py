"""Where the proxy is mounted: each tracking URI that was ever advertised leads to the same view."""

from django.urls import path, re_path

from mlflow_proxy.views import MlflowProxyView, proxy_root

_view = MlflowProxyView.as_view()

urlpatterns = [
    *(
        pattern
        for mount in ("/api/mlflow", "/mlflow")
        for pattern in (
            path(mount[1:], proxy_root, {"mount": mount}),
            path(f"{mount[1:]}/", proxy_root, {"mount": mount}),
            # Not a dot: a name with a line feed must reach the view and its 400, not fall out of the router.
            re_path(rf"^{mount[1:]}/(?P<rest>[\s\S]+)$", _view, {"mount": mount}),
        )
    ),
    re_path(r"^(?P<rest>api/[23]\.0/mlflow(?:-artifacts)?/[\s\S]+)$", _view, {"mount": ""}),
]
