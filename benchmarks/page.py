"""Puts figures on a page of the documentation, and says of which commit they are."""

from __future__ import annotations

import pathlib
import subprocess


def commit() -> str:
    """The commit the working tree is at, or "unknown" outside a repository."""
    here = pathlib.Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def replace(page: pathlib.Path, part: str, text: str) -> None:
    """Put *text* where a page has room for the tables of *part*: between two comments."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, found, rest = page.read_text().partition(begin)
    if found:
        after = rest.partition(end)[2]
        page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
