"""How much memory a session takes on top of its fragments, in a process of its own.

``python -m benchmarks.memory SET encode|decode process|traced`` reads a pickled workload with its
fragments from stdin and prints octets.  ``traced`` is what Python's allocators were asked for at
most (tracemalloc): exact, but blind to what C allocates, and slow.  ``process`` is by how much the
resident size of the process peaked, as Linux counts it: all there is, in pages, with what the
allocator keeps and the code that is loaded on first use.  The result and the lines that are
remembered count in both.
"""

from __future__ import annotations

import ctypes
import gc
import pathlib
import pickle
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

from benchmarks.workloads import W3, Workload, cold

_SELF = pathlib.Path("/proc/self")


def peak(load: Workload, kernel_set: str, what: str, how: str) -> int | None:
    """Return the peak in octets; None where it cannot be known."""
    if how == "process" and not (_SELF / "clear_refs").exists():
        return None
    _ = load.needed if what == "decode" else load.block  # what the child is given, ready-made
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", kernel_set, what, how],
        input=pickle.dumps(load),
        stdout=subprocess.PIPE,
        check=True,
    )
    return int(done.stdout)


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", (_SELF / "status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def _of_process(work: Callable[[], object]) -> int:
    ctypes.CDLL(None).malloc_trim(0)
    (_SELF / "clear_refs").write_text("5")  # the peak is what is used now
    before = _status("VmRSS")
    result = work()
    after = _status("VmHWM")
    assert result
    return after - before


def _traced(work: Callable[[], object]) -> int:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    result = work()
    after = tracemalloc.get_traced_memory()[1]
    assert result
    return after - before


def main() -> None:
    kernel_set, what, how = sys.argv[1:]
    load: Workload = pickle.load(sys.stdin.buffer)
    prepare = cold(kernel_set)
    prepare()
    W3.decode()  # load what is loaded once
    prepare()
    gc.collect()
    print({"process": _of_process, "traced": _traced}[how](getattr(load, what)))


if __name__ == "__main__":
    main()
