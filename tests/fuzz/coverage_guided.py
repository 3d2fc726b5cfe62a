"""Invariant: that of the entry point, for inputs that are chosen by what they reach.

The same entry points as :mod:`tests.fuzz.inputs`, driven by atheris, which keeps inputs that reach
code no other has reached.  Half of the changes are ours, half those of libFuzzer, whose options
follow the name; what fails is written below ``fuzz-failures`` and replayed by ``inputs --replay``:

    pip install atheris
    python -m tests.fuzz.coverage_guided device -max_total_time=600

atheris is not among the requirements of anything: it has wheels for Linux and some versions of
Python only.
"""

from __future__ import annotations

import importlib
import pathlib
import random
import sys
import tempfile


def main() -> None:
    try:
        atheris = importlib.import_module("atheris")  # untyped, and hardly ever there
    except ImportError:
        raise SystemExit("atheris is not installed: pip install atheris") from None
    with atheris.instrument_imports(include=["lorafuota"]):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    named = {target.name: target for target in targets}
    if len(sys.argv) < 2 or sys.argv[1] not in named:
        raise SystemExit(f"which entry point?  {', '.join(named)}")
    target = named[sys.argv[1]]

    def one_input(data: bytes) -> None:
        target.one_input(data)

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        try:
            changed: bytes = target.mutate(rng, [data]) if seed % 2 else b""
        except ValueError:  # no JSON any more
            changed = b""
        return changed[:most] or bytes(atheris.Mutate(data, most))

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds()):
            pathlib.Path(corpus, f"seed-{number}").write_bytes(seed)
        failures = pathlib.Path("fuzz-failures")
        failures.mkdir(exist_ok=True)
        options = [f"-artifact_prefix={failures}/", "-timeout=20", "-max_len=65536"]
        atheris.Setup(
            [sys.argv[0], *options, *sys.argv[2:], corpus],
            one_input,
            custom_mutator=change,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
