"""Plays checks against a mutant of our server, and tells which of them notice it.

A mutant is put in while its module is imported, so each is played in a process of its own.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Final

from .server import SERVER_MUTANTS
from .servermutant import ROOT, ServerMutant

SECONDS: Final = 400.0
"""What a mutant may take; one that takes longer hangs, and is noticed by that."""


def killers(mutant: ServerMutant, checks: Sequence[str]) -> dict[str, str]:
    """Return the ids of those of the checks that notice a mutant, and what each says.

    Raises:
        RuntimeError: The process could not even begin.
    """
    command = [sys.executable, "-m", "tests.mutants.serverrunner", mutant.name, *checks]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return {checks[0] if len(checks) == 1 else "one of them": "it hangs"}
    if done.returncode:
        raise RuntimeError(f"{mutant.name}: {done.stderr[-2_000:]}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed source in place of the file's."""

    def __init__(self, fullname: str, mutant: ServerMutant) -> None:
        super().__init__(fullname, str(mutant.path))
        self._source = mutant.source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: ServerMutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != f"lorafuota.{self._mutant.subject}":
            return None
        loader = _Loader(fullname, self._mutant)
        return importlib.util.spec_from_file_location(fullname, loader.path, loader=loader)


def _play(mutant: ServerMutant, checks: Sequence[str]) -> dict[str, str]:
    """Play the checks against a mutant, in this process, which has not imported it yet."""
    sys.meta_path.insert(0, _Finder(mutant))
    from lorafuota.conformance.ownserver import OwnServer
    from lorafuota.conformance.run import run_server_checks
    from lorafuota.conformance.server import SERVER_CHECKS

    found: dict[str, str] = {}
    for check in [SERVER_CHECKS[id] for id in checks]:
        try:
            [result] = run_server_checks([check], OwnServer())
        except Exception as error:  # a mutant may do anything
            found[check.id] = f"raised {type(error).__name__}: {error}"
        else:
            if not result.good:
                found[check.id] = result.reason
    return found


def main(argv: Sequence[str]) -> int:
    """Print what each check that notices the named mutant says, as JSON: the process's end."""
    [mutant] = [one for one in SERVER_MUTANTS if one.name == argv[0]]
    print(json.dumps(_play(mutant, argv[1:])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
