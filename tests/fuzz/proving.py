"""Invariant: what proves promises is run once for the code it speaks of, and told in one table.

A *law* is a function with a number of runs, *tests* are a selection for pytest, a *tool* is
another module of this package.  Each gives one row: promise, command, figures, time, result.

A run of everything takes hours, so rows can be kept in a file.  A kept row is used again as long
as the sources of lorafuota are the same, octet for octet, or, if that is asked for, although they
are not: each row says of which commit it is.  One that is broken is never kept.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final

from benchmarks.page import commit as commit

ROOT: Final = pathlib.Path(__file__).parents[2]
KEPT, BROKEN, LEFT_OUT, OPEN = "kept", "BROKEN", "left out", "nothing proves it"
FIGURES: Final = "figures: "
"""How a line of pytest's output begins that tells what the tests have counted (conftest.py)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    id: str
    promise: str
    command: str
    figures: str
    result: str
    seconds: int = 0
    commit: str = ""
    """What it was proved of."""
    sources: str = ""
    """... as the digest of the sources."""


@dataclasses.dataclass(frozen=True, slots=True)
class Law:
    """A function that makes so many runs, returns its figures, and raises if the law is broken."""

    run: Callable[[int], str]
    count: int

    def command(self, id: str, scale: float) -> str:
        scaled = "" if scale == 1 else f" --scale {scale:g}"
        return f"python -m tests.fuzz.promises --only {id}{scaled}"

    def prove(self, scale: float) -> tuple[str, str]:
        try:
            return self.run(max(1, round(self.count * scale))), KEPT
        except Exception as error:  # whatever it is, the table must come
            return f"{type(error).__name__}: {error}", BROKEN


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """A command whose last line of output is its figures; it fails when it is broken."""

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()

    def prove(self) -> tuple[str, str]:
        process = subprocess.run(
            [sys.executable, "-m", *self.arguments],
            cwd=ROOT,
            env={**os.environ, **dict(self.environment)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = [line for line in process.stdout.splitlines() if line.strip()]
        if process.returncode:
            print(process.stdout[-4000:], flush=True)
        last = re.sub(r"^=+ | =+$| in \d.*", "", lines[-1] if lines else "no output")
        told = [line.removeprefix(FIGURES) for line in lines if line.startswith(FIGURES)]
        return "; ".join((last, *told[-1:])), KEPT if process.returncode == 0 else BROKEN


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """A selection of the tests; pytest fails when it selects nothing.

    The long version of the tests, from scale 1 on, if no law or tool makes the many runs.
    """

    paths: tuple[str, ...]
    named: str = ""
    long: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        return (*self.paths, *(("-k", self.named) if self.named else ()))

    def command(self, id: str, scale: float) -> str:
        selection = f' -k "{self.named}"' if self.named else ""
        long = "LORAFUOTA_LONG=1 " if self.long and scale >= 1 else ""
        return f"{long}pytest {' '.join(self.paths)}{selection}"

    def prove(self, scale: float) -> tuple[str, str]:
        long = (("LORAFUOTA_LONG", "1" if self.long and scale >= 1 else ""),)
        return Process(("pytest", "-q", "-p", "no:cacheprovider", *self.arguments), long).prove()


@dataclasses.dataclass(frozen=True, slots=True)
class Tool:
    """Another module of this package."""

    module: str
    options: tuple[str, ...] = ()
    """The last takes the count."""
    count: int = 0
    least_scale: float = 0.0

    def _arguments(self, scale: float) -> tuple[str, ...]:
        count = str(max(1, round(self.count * scale)))
        return (self.module, *((*self.options, count) if self.options else ()))

    def command(self, id: str, scale: float) -> str:
        return " ".join(("python", "-m", *self._arguments(scale)))

    def prove(self, scale: float) -> tuple[str, str]:
        if scale < self.least_scale:
            return f"from --scale {self.least_scale:g} on", LEFT_OUT
        return Process(self._arguments(scale)).prove()


Proof = Law | Selection | Tool


@dataclasses.dataclass(frozen=True, slots=True)
class Promise:
    """What is promised, and all that proves it."""

    id: str
    text: str
    proofs: tuple[Proof, ...]


def sources() -> str:
    """Return a digest of all that lorafuota is built from."""
    package = ROOT / "src" / "lorafuota"
    built = {"__pycache__", ".so", ".pyd"}
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and not built & {path.suffix, path.parent.name}:
            digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class Shelf:
    """The file with the rows that need not be proved again; without a path, none."""

    def __init__(
        self, path: pathlib.Path | None, *, stale: bool = False, again: Container[str] = ()
    ) -> None:
        """Open the file.

        Args:
            path: Where the rows are, or are going to be.
            stale: Whether rows that were proved of other sources count.
            again: Promises whose rows never do.
        """
        self._path, self._stale, self._again = path, stale, again
        self._sources = sources()
        self._rows: dict[str, Row] = {}
        if path is not None and path.exists():
            self._rows = {key: Row(**row) for key, row in json.loads(path.read_text()).items()}

    def find(self, key: str) -> Row | None:
        row = self._rows.get(key)
        if row is None or row.id in self._again:
            return None
        return row if self._stale or row.sources == self._sources else None

    def put(self, key: str, row: Row) -> None:
        """Keep a row, at once and for good."""
        if self._path is None or row.result != KEPT:
            return
        self._rows[key] = row
        rows = {key: dataclasses.asdict(row) for key, row in self._rows.items()}
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(rows, indent=1))
        fresh.replace(self._path)


def proved(promise: Promise, proof: Proof, scale: float) -> Row:
    """Run one proof, and tell when it begins and how it ended."""
    command = proof.command(promise.id, scale)
    print(f"{promise.id}: {command}", flush=True)
    began = time.monotonic()
    figures, result = proof.prove(scale)
    seconds = round(time.monotonic() - began)
    print(f"{promise.id}: {result}: {figures} [{seconds} s]", flush=True)
    return Row(
        id=promise.id,
        promise=promise.text,
        command=command,
        figures=figures,
        result=result,
        seconds=seconds,
        commit=commit(),
        sources=sources(),
    )


def _in_turn(work: Sequence[tuple[Promise, Proof, float]], jobs: int) -> Iterator[tuple[int, Row]]:
    """Yield the rows as they come, each with its place."""
    if jobs == 1:
        yield from ((at, proved(*one)) for at, one in enumerate(work))
        return
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context)
    try:
        places = {pool.submit(proved, *one): at for at, one in enumerate(work)}
        for done in concurrent.futures.as_completed(places):
            yield places[done], done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def rows(
    promises: Sequence[Promise], scale: float, *, jobs: int = 1, shelf: Shelf | None = None
) -> list[Row]:
    """Prove promises, so many proofs at a time, and return one row for each proof, in order."""
    shelf = shelf or Shelf(None)
    table: list[Row | None] = []
    keys, work = [], []
    for promise in promises:
        if not promise.proofs:
            table.append(Row(promise.id, promise.text, "", "", OPEN))
        for at, proof in enumerate(promise.proofs):
            key = f"{promise.id}.{at} {proof.command(promise.id, scale)} {proof_count(proof)}"
            table.append(shelf.find(key))
            if table[-1] is None:
                keys.append((len(table) - 1, key))
                work.append((promise, proof, scale))
    for number, row in _in_turn(work, jobs):
        place, key = keys[number]
        table[place] = row
        shelf.put(key, row)
    return [row for row in table if row is not None]


def proof_count(proof: Proof) -> int:
    """Return how many runs a proof makes at scale 1; 0 where that is not its to say."""
    return 0 if isinstance(proof, Selection) else proof.count


def markdown(table: Sequence[Row]) -> str:
    """The table, as it goes into a note or a page; a promise is named in its first row only."""
    lines = [
        "| id | promise | command | figures | time | commit | result |",
        "| --- | --- | --- | --- | ---: | --- | --- |",
    ]
    before = ""
    for row in table:
        command = f"`{row.command}`" if row.command else ""
        named = ("", "") if row.id == before else (row.id, row.promise)
        before = row.id
        time = f"{row.seconds:,} s"
        cells = [*named, command, row.figures, time, row.commit, row.result]
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in cells]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
