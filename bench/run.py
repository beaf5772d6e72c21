"""`make bench`: the portal against MLflow alone, nginx and boto3, in one run on one machine, in alternating order.

usage: python -m bench.run [--only metadata|transfers] [--quick] [--output FILE]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import machine, metadata, report, transfers
from bench.results import BASIC_AUTH, MLFLOW, PORTAL, Measure, Result
from bench.stack import Side, Stack, running

RESULTS = Path(__file__).with_name("results")
CALLS = {False: metadata.Plan(rounds=3, seconds=2.0, spaced_calls=25), True: metadata.Plan(2, 1.0, 8)}
BYTES = {
    False: transfers.Plan({1: 8, 64: 3, 1024: 2}, small_files=200, small_rounds=2, at_once_size=64, at_once_rounds=1),
    True: transfers.Plan({1: 5, 64: 2}, small_files=50, small_rounds=2, at_once_size=32, at_once_rounds=1),
}
BEGAN = time.monotonic()


def main() -> int:
    options = parse(sys.argv[1:])
    # Neither a proxy nor a netrc of this machine may come between.
    os.environ |= {"NO_PROXY": "*", "NETRC": os.devnull}
    say("starting PostgreSQL, a store, MLflow, two portals and nginx …")
    with tempfile.TemporaryDirectory(prefix="hokusai-bench-") as folder, running(Path(folder)) as stack:
        result = Result(machine.describe())
        if isinstance(stack.basic_auth, str):
            result.unmeasured[BASIC_AUTH] = stack.basic_auth
        for measure in measures(stack, options):
            result.measures.append(measure)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result.as_json(), indent=1, ensure_ascii=False) + "\n")
    print(f"\n{report.text(result)}\n\nWritten to {options.output}")
    return 0 if report.floors_hold(result) else 1


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("metadata", "transfers"), help="measure one half")
    parser.add_argument("--quick", action="store_true", help="a few minutes: fewer rounds, nothing larger than 64 MiB")
    parser.add_argument("--output", type=Path, default=RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S')}.json")
    return parser.parse_args(words)


def measures(stack: Stack, options: argparse.Namespace) -> Iterator[Measure]:
    if options.only != "transfers":
        yield from measure_calls(stack, CALLS[options.quick])
    if options.only != "metadata":
        yard, plan = transfers.Yard(stack), BYTES[options.quick]
        yield from transfers.measure_sizes(yard, plan, say)
        yield from transfers.measure_small_files(yard, plan, say)
        yield from transfers.measure_at_once(yard, plan, say)


def measure_calls(stack: Stack, plan: metadata.Plan) -> Iterator[Measure]:
    alone = Side(MLFLOW, stack.mlflow.tracking_uri)
    portal = Side(PORTAL, stack.direct.tracking_uri, stack.direct.headers())
    calls = dict.fromkeys((alone, portal, stack.nginx), metadata.prepare(alone))
    # Without the one that has its own login: a call of it takes longer than the pause between two.
    yield from metadata.measure_spaced(calls, plan, say)
    if not isinstance(stack.basic_auth, str):
        calls |= {stack.basic_auth: metadata.prepare(stack.basic_auth)}
    yield from metadata.measure_back_to_back(calls, plan, say)


def say(line: str) -> None:
    minutes, seconds = divmod(int(time.monotonic() - BEGAN), 60)
    print(f"[{minutes:2}:{seconds:02}] {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
