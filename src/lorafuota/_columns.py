"""Rows in aligned columns, for everything that prints a table."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns"]


def columns(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    indent: int = 0,
) -> list[str]:
    """Return the lines of a table, its head first.

    Args:
        head: Titles of the columns.
        rows: Cells; a cell may have several lines.
        right: Columns of numbers, which are aligned at their end.
        indent: Spaces before each line.
    """
    split = [[cell.split("\n") for cell in row] for row in (head, *rows)]
    widths = [max(len(line) for row in split for line in row[i]) for i in range(len(head))]
    lines = []
    for row in split:
        for at in range(max(map(len, row))):
            cells = [cell[at] if at < len(cell) else "" for cell in row]
            padded = (
                cell.rjust(width) if i in right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            lines.append((" " * indent + "  ".join(padded)).rstrip())
    return lines
