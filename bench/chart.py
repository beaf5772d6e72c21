"""Draws a result as an SVG that stands by itself, in light and dark; measures nothing."""

from collections.abc import Iterator
from html import escape

from bench.results import MLFLOW, NGINX, PORTAL, Measure, Result

ROW, BAR, LEFT, WIDTH, TOP = 40, 12, 250, 760, 44
HEADING = (
    f'<text x="{LEFT}" y="20"><tspan font-weight="650">Speed as a multiple of MLflow alone</tspan>'
    '<tspan class="quiet">: blue the portal, grey nginx</tspan></text>'
)
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b2733 } .quiet { fill: #52606d } .ground { fill: #ffffff }
.portal { fill: #3a76b4 } .nginx { fill: #9aa7b4 } .one { stroke: #b3261e; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #a3b1bf } .ground { fill: #10161d } .portal { fill: #6fb1f0 }
.nginx { fill: #5f6f7f } .one { stroke: #ff8f87 } }
"""


def draw(result: Result) -> str:
    """Return how fast portal and nginx are as a multiple of MLflow alone, in the same run: 1 is as fast."""
    rows = [(measure, dict(_speeds(measure))) for measure in result.measures if _is_shown(measure)]
    longest = max([1.0, *(speed for _, speeds in rows for speed in speeds.values())])
    scale = (WIDTH - LEFT - 60) / longest
    height = TOP + ROW * len(rows) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
        f'<title id="title">Speed as a multiple of MLflow alone</title><style>{STYLE}</style>',
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        HEADING,
        *(_row(measure.name, speeds, TOP + ROW * place, scale) for place, (measure, speeds) in enumerate(rows)),
        f'<line class="one" x1="{LEFT + scale:.1f}" x2="{LEFT + scale:.1f}" y1="{TOP - 14}" y2="{height - 8}"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _is_shown(measure: Measure) -> bool:
    is_call = measure.name.endswith(("spaced, time", "1 connection, time", "connections, rate"))
    is_transfer = measure.name.startswith(("upload,", "download,")) and measure.unit in {"MiB/s", "files/s"}
    return (is_call and "4 connections" not in measure.name) or is_transfer


def _speeds(measure: Measure) -> Iterator[tuple[str, float]]:
    for side in (PORTAL, NGINX):
        if (ratio := measure.ratio(side, MLFLOW)) is not None:
            yield side, 1 / ratio.middle if measure.unit in {"ms", "s"} else ratio.middle


def _row(name: str, speeds: dict[str, float], y: int, scale: float) -> str:
    bars = [
        _bar(side, speed, y + place * (BAR + 2), speed * scale) for place, (side, speed) in enumerate(speeds.items())
    ]
    return f'<text x="{LEFT - 10}" y="{y + BAR}" text-anchor="end">{escape(name)}</text>' + "".join(bars)


def _bar(side: str, speed: float, y: int, length: float) -> str:
    drawn = f'<rect class="{side}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
    return f'{drawn}<text x="{LEFT + length + 6:.1f}" y="{y + BAR - 1}">{speed:.2f}</text>'
