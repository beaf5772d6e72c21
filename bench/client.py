"""Times blocks of ``log_metric`` calls, alternating between tracking URIs; runs in MLflow's environment, prints JSON.

usage: client.py BLOCKS CALLS NAME=URI[=TOKEN] ...
"""

import json
import os
import sys
import time

from mlflow import MlflowClient


def main() -> None:
    blocks, calls = int(sys.argv[1]), int(sys.argv[2])
    sides = {}
    for word in sys.argv[3:]:
        name, uri, *token = word.split("=")
        sides[name] = (MlflowClient(uri), token[0] if token else "")
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    runs = {}
    for name, (client, token) in sides.items():
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
        runs[name] = client.create_run("0").info.run_id
    for block in range(blocks):
        # The order alternates too: whoever comes first in a pair pays for what the other left warm.
        for name in sorted(sides, reverse=bool(block % 2)):
            client, os.environ["MLFLOW_TRACKING_TOKEN"] = sides[name]
            for step in range(calls):
                started = time.perf_counter()
                client.log_metric(runs[name], "m", 1.0, step=block * calls + step)
                seconds[name].append(time.perf_counter() - started)
    json.dump(seconds, sys.stdout)


main()
