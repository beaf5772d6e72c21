"""Prints the routes that the installed MLflow server registers, as JSON; runs in MLflow's environment.

``[[method, path], …]`` without the static prefix; a parameter is ``{name}``, one with slashes ``{name:path}``.
"""

import json
import re
import sys

from fastapi.routing import APIRoute
from mlflow.server import app as flask_app
from mlflow.server.fastapi_app import create_fastapi_app

AUTOMATIC = {"HEAD", "OPTIONS"}


def spell(parameter):
    return f"{{{parameter[2]}{':path' if parameter[1] == 'path' else ''}}}"


def from_flask():
    for rule in flask_app.url_map.iter_rules():
        path = re.sub(r"<(?:(\w+):)?(\w+)>", spell, rule.rule)
        yield from ((method, path) for method in (rule.methods or set()) - AUTOMATIC)


def from_fastapi():
    for route in flatten(create_fastapi_app(flask_app).routes):
        yield from ((method, route.path) for method in route.methods - AUTOMATIC)


def flatten(routes):
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "effective_route_contexts"):
            # FastAPI keeps an included router as one entry that knows its routes with their prefix.
            yield from route.effective_route_contexts()
        elif getattr(route, "routes", None):
            yield from flatten(route.routes)


json.dump(sorted({*from_flask(), *from_fastapi()}), sys.stdout)
