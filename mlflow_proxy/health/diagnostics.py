"""The state of storage health as plain text, to be sent to somebody who helps; pure, and holds no secret.

Names of hosts, buckets and roles are in it: they are what the helper needs.
"""

from apikeys.redaction import redact_keys
from mlflow_proxy.health.report import Report, Row

WIDTH = 22


def text_of(report: Report, facts: dict[str, str]) -> str:
    """Return one line for each probe, and below it what was found and what to do; ``facts`` stand above."""
    checked = f"{report.check.ended_at:%Y-%m-%d %H:%M:%S} UTC" if report.check and report.check.ended_at else "never"
    lines = [f"Hokusai Portal: storage health is {report.light}", report.sentence, f"Checked: {checked}"]
    lines += [f"{name}: {value}" for name, value in facts.items()]
    for title, rows in report.chapters:
        lines += ["", title]
        for row in rows:
            lines += _lines_of(row)
    # Whatever a store or server put into its answer.
    return redact_keys("\n".join(lines) + "\n")


def _lines_of(row: Row) -> list[str]:
    probe = row.probe
    since = f"since {row.since:%Y-%m-%d %H:%M}" if row.since else ""
    head = f"  {probe.status:<8}{probe.name:<{WIDTH}}{probe.latency_ms:>8.0f} ms  {probe.reason:<28}{since}".rstrip()
    return [head, *(f"          {text}" for text in (probe.detail, probe.hint) if text)]
