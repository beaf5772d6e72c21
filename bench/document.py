"""Puts a result into the documents: the table of docs/performance.md and its chart; measures nothing.

usage: python -m bench.document RESULT
"""

import json
import sys
from pathlib import Path

from bench import chart, report
from bench.results import Result

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, RESULT, CHART = DOCS / "performance.md", DOCS / "performance.json", DOCS / "img" / "performance.svg"
BEGIN, END = "<!-- result -->", "<!-- end of result -->"


def page_with(result: Result, page: str) -> str:
    """Return the page with the result between its marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{report.markdown(result)}\n\n{END}{after}"


def committed() -> Result:
    """Return the result that the page shows."""
    return Result.from_json(json.loads(RESULT.read_text()))


def main() -> None:
    document = json.loads(Path(sys.argv[1]).read_text())
    RESULT.write_text(json.dumps(document, ensure_ascii=False) + "\n")
    PAGE.write_text(page_with(committed(), PAGE.read_text()))
    CHART.write_text(chart.draw(committed()))


if __name__ == "__main__":
    main()
