"""The table of routes, to read; decides about no call."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.api.base import ApiView
from apikeys.api.fields import QuerySerializer
from mlflow_proxy import routes


class RouteSerializer(serializers.Serializer[Any]):
    """A row of the table: a call to (method, path) below a tracking URI, and what it needs."""

    method = serializers.CharField()
    path = serializers.CharField(source="template")
    operation = serializers.CharField(help_text="The same word for all aliases of one handler.")
    scope = serializers.CharField(allow_null=True, help_text="Null where any valid key will do.")
    resource = serializers.CharField()
    route_class = serializers.CharField(source="traffic")


class RouteListSerializer(serializers.Serializer[Any]):
    """All of it at once: there is no next page."""

    results = RouteSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class RoutesView(ApiView):
    """What the portal lets through to MLflow; what is not here is 404 for every key."""

    serializer_class = RouteListSerializer

    def get(self, request: Request) -> Response:
        """List the routes, the scope that each needs, and the kind of its traffic."""
        self.asked(QuerySerializer)
        return Response({"results": RouteSerializer(routes.ROUTES, many=True).data, "next": None, "previous": None})
