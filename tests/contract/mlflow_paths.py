"""Says what MLflow makes of artifact paths; runs in its environment.

Reads a JSON list of raw paths, as they stand in a URL, from standard input. Writes for each the path that MLflow would
open after its server has decoded the URL once, or null where it refuses.
"""

import json
import sys
from urllib.parse import unquote_to_bytes

from mlflow.exceptions import MlflowException
from mlflow.utils.uri import validate_path_is_safe


def final_path(raw):
    try:
        # uvicorn and Starlette: one decoding, as UTF-8.
        return validate_path_is_safe(unquote_to_bytes(raw.encode("latin-1")).decode("utf-8"))
    except (MlflowException, ValueError):
        return None


json.dump([final_path(raw) for raw in json.load(sys.stdin)], sys.stdout)
