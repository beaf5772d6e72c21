"""Tables that end the report of a run, under a title each; knows nothing of what is in them."""

from collections.abc import Iterable, Sequence

TABLES: list[tuple[str, str]] = []


def print_at_end(title: str, text: str) -> None:
    TABLES.append((title, text))


def lines(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under headings, columns as wide as their widest cell."""
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
