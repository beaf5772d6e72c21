"""Lines of CSV that no spreadsheet computes; pure, and knows no model."""

import csv
from collections.abc import Iterable, Iterator

# What a spreadsheet takes for the beginning of a formula, also behind space and in full width.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


class _Echo:
    """A file that returns what is written: csv then yields lines."""

    def write(self, line: str) -> str:
        return line


def lines(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a heading and a line for each row, every cell quoted and none of them a formula."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(heading)
    for row in rows:
        yield writer.writerow([harmless(cell) for cell in row])


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet computes: behind an apostrophe where it would."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_SIGNS) else cell
