"""Invariant: no kernel in C touches memory that is not its own, or relies on undefined behaviour.

Builds the extension with the address and undefined-behaviour sanitizers, next to a copy of the
package, and runs the laws of the kernels, hostile arguments included, and the tests of everything
above them; twice, the second time without vector instructions.  Needs GCC or Clang on Linux:

    python -m tests.fuzz.sanitize
    LORAFUOTA_LONG=1 python -m tests.fuzz.sanitize

What the kernels allocate is checked for leaks without Python, by kernels_elsewhere.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile

import lorafuota

PACKAGE = pathlib.Path(lorafuota.__file__).parent
ROOT = pathlib.Path(__file__).parents[2]
TESTS = ("tests/laws/test_kernel_laws.py", "tests/laws/test_fec_laws.py", "tests/unit/fec")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")


def run(compiler: list[str], flags: tuple[str, ...]) -> int:
    """Build and test once; return what pytest returned."""
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory, "lorafuota")
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        command = [*compiler, "-shared", "-fPIC", "-O1", "-g", "-std=c11", *SANITIZERS, *flags]
        command += [f"-I{sysconfig.get_paths()['include']}", str(copy / "fec" / "_speedups.c")]
        subprocess.run([*command, "-o", str(copy / "fec" / "_speedups.abi3.so")], check=True)
        library = subprocess.run(
            [*compiler, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
        ).stdout.strip()
        environment = {
            **os.environ,
            "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter keeps what it wants to the end
            "LD_PRELOAD": library,
            "LORAFUOTA_KERNELS": "c",
            "PYTHONMALLOC": "malloc",  # so that the sanitizer sees the bounds of objects
            "PYTHONPATH": directory,
        }
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
        pytest += ["-k", "c-baseline or c-avx2 or not reference and not python"]
        return subprocess.run(pytest, env=environment, cwd=ROOT).returncode


def main() -> int:
    compiler = shlex.split(os.environ.get("CC", "cc"))
    return run(compiler, ()) or run(compiler, ("-DLORAFUOTA_PLAIN",))


if __name__ == "__main__":
    sys.exit(main())
