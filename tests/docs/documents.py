"""Reads the documents: their headings, code blocks, tables and links. Knows no rule about what they say."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(name: str) -> str:
    """Return a document without its code blocks."""
    return _FENCE.sub("", text(name))


def blocks(name: str, language: str) -> list[str]:
    """Return the bodies of the code blocks of one language, in order."""
    return [match["body"] for match in _FENCE.finditer(text(name)) if match["language"] == language]


def spans(name: str) -> list[str]:
    """Return what stands in backticks in the prose."""
    return re.findall(r"`([^`\n]+)`", prose(name))


def headings(name: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", prose(name), re.MULTILINE)


def sections(name: str) -> dict[str, str]:
    """Return the text below each heading, up to the next one."""
    parts = re.split(r"^#+ (.+)$", prose(name), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(section: str) -> dict[str, list[str]]:
    """Return the tables of a section: the first cell without backticks, to the other cells as written."""
    lines = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return {cell[0].strip("`"): cell[1:] for cell in cells}


def anchors(name: str) -> set[str]:
    """Return what a link may name behind ``#``, as forges make it of headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(name))
    return {heading.replace(" ", "-") for heading in plain}


def commands(name: str) -> list[str]:
    """Return the shell commands of a document: lines of its blocks, and spans that run make or manage.py."""
    lines = [line for body in blocks(name, "bash") for line in body.splitlines() if line and not line.startswith("#")]
    return lines + [span for span in spans(name) if re.match(r"(make |\S*python manage\.py )", span)]
