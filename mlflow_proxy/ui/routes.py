"""What the web interface asks for beside the API: pages, assets, one GraphQL address; pure, default deny.

These rows are open to staff alone. A key never meets this table: for a key, what stands here does not exist.
"""

import re

from mlflow_proxy import routes
from mlflow_proxy.exceptions import RouteUnknownError
from mlflow_proxy.routes import Route, Table

# method  template  scope  resource. ``account`` and ``gateway`` are answered by the portal itself: see OWN.
TABLE = """
GET   /                                                 mlflow:read  page
GET   static-files/{file_name}                          mlflow:read  asset
GET   static-files/static/js/{file_name}                mlflow:read  asset
GET   static-files/static/css/{file_name}               mlflow:read  asset
GET   static-files/static/media/{file_name}             mlflow:read  asset
POST  graphql                                           mlflow:read  graphql
GET   ajax-api/2.0/mlflow/users/current                 mlflow:read  account
GET   ajax-api/3.0/mlflow/users/current/permissions     mlflow:read  account
GET   ajax-api/3.0/mlflow/users/roles/list              mlflow:read  account
GET   ajax-api/2.0/mlflow/gateway-proxy                 mlflow:read  gateway
GET   ajax-api/3.0/mlflow/workspaces                    mlflow:read  workspace
GET   ajax-api/3.0/mlflow/workspaces/{workspace_name}   mlflow:read  workspace
"""

_TABLE = Table(TABLE)
ROUTES = _TABLE.rows
OWN = frozenset({"account", "gateway"})
# A name that changes with the content: what was fetched once under it stays true.
_HASHED = re.compile(r"\.[0-9a-f]{8,}\.")


def find(method: str, segments: tuple[str, ...]) -> Route:
    """Return the row of this table or of the API's; raises RouteUnknownError for what is in neither."""
    if own := _TABLE.find(method, segments):
        return own
    try:
        return routes.find(method, segments)
    except RouteUnknownError:
        # What routes.find advises is for whoever sets up a client.
        raise RouteUnknownError("This part of MLflow is not open here.") from None


def is_lasting(segments: tuple[str, ...]) -> bool:
    """Return whether the content behind a path of assets never changes."""
    return _HASHED.search(segments[-1]) is not None
