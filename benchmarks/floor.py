"""How near the kernels in C come to what the machine permits.

The model is that of a code that draws every line by one store for each draw, and multiplies and
eliminates with tables (Four Russians, 32 columns to five tables in the first-level cache), so that
each row reads five table entries of 64 octets for each 32 columns and 64 octets of fragment:

    draws         R * floor(M / 2)                                stores
    product       5 * ceil(M / 32) * R * 64 * ceil(S / 64)        octets read
    elimination   5 * ceil(L / 32) * R * 64 * (live strips)       octets read

with R rows (encoding: P, decoding: L) and, in the elimination, the strips of 64 octets that are
left from the current column on, on average.  It is no lower bound for every algorithm.

What the machine permits is measured in the same run, by a dozen lines of C that are compiled for
this processor by whatever ``cc`` is: XOR-reading 16 KB and 24 KB with all in registers, and stores
of single octets at places that another array names, 4400 octets wide.  Without a compiler numpy
takes over, with ``a ^= b`` on two rows of 8 KB: it stores as much as it reads, so the bandwidth
comes out at half or less, the floor too high, and the factor flattering.  Python's own integers are
further off and not used.  The draws are counted twice: at 0.275 ns each, one store per cycle at
3.6 GHz, the constant of the study this model comes from; and with the store measured here.
"""

from __future__ import annotations

import ctypes
import dataclasses
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from benchmarks.harness import Case, MissingExtra, Table, measure, optional
from benchmarks.workloads import W1, W2, W4, Workload, cold, kernel_sets

STUDY_STORE: Final = 0.275e-9
"""Seconds for one draw, in the study."""

_PROBES: Final = r"""
#include <stdint.h>
#include <stddef.h>
typedef uint64_t vec __attribute__((vector_size(32), aligned(32), may_alias));

uint64_t xor_read(const void *buffer, size_t octets, size_t passes)
{
    const vec *p = buffer;
    size_t n = octets / sizeof(vec);
    vec a = {0}, b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    while (passes--) {
        for (size_t i = 0; i < n; i += 8) {
            a ^= p[i]; b ^= p[i + 1]; c ^= p[i + 2]; d ^= p[i + 3];
            e ^= p[i + 4]; f ^= p[i + 5]; g ^= p[i + 6]; h ^= p[i + 7];
        }
        __asm__ volatile("" ::: "memory");
    }
    a ^= b ^ c ^ d ^ e ^ f ^ g ^ h;
    return a[0] ^ a[1] ^ a[2] ^ a[3];
}

void store(uint8_t *map, const uint16_t *places, size_t count, size_t passes)
{
    while (passes--) {
        for (size_t i = 0; i < count; i += 8) {
            map[places[i]] = 1; map[places[i + 1]] = 1; map[places[i + 2]] = 1;
            map[places[i + 3]] = 1; map[places[i + 4]] = 1; map[places[i + 5]] = 1;
            map[places[i + 6]] = 1; map[places[i + 7]] = 1;
        }
        __asm__ volatile("" ::: "memory");
    }
}
"""


@dataclasses.dataclass(frozen=True)
class Machine:
    """What one core does."""

    how: str
    read: float
    """Octets per second, XOR-reading the first-level cache."""
    store: float
    """Seconds for one draw: a store of an octet."""


def machine(rounds: int) -> Machine:
    """Measure this machine.

    Raises:
        MissingExtra: There is neither a compiler nor numpy.
    """
    with tempfile.TemporaryDirectory() as folder:
        probes = _compiled(pathlib.Path(folder))
        if probes is not None:
            return _with_compiler(probes, rounds)
    return _with_numpy(rounds)


def _compiled(folder: pathlib.Path) -> ctypes.CDLL | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    (folder / "probes.c").write_text(_PROBES)
    for flags in (["-march=native"], []):
        command = [compiler, "-O3", *flags, "-shared", "-fPIC", "-o", "probes.so", "probes.c"]
        if subprocess.run(command, cwd=folder, capture_output=True).returncode == 0:
            return ctypes.CDLL(str(folder / "probes.so"))
    return None


def _best(run: Callable[[], object], rounds: int) -> float:
    """Return the seconds of the fastest of many calls: the machine undisturbed."""
    times = []
    for _ in range(20 * rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _with_compiler(probes: ctypes.CDLL, rounds: int) -> Machine:
    passes, count = 4000, 2200
    probes.xor_read.restype = ctypes.c_uint64
    probes.xor_read.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
    probes.store.restype = None
    probes.store.argtypes = (*[ctypes.c_void_p] * 2, *[ctypes.c_size_t] * 2)
    room = ctypes.create_string_buffer(25 * 1024)
    start = (ctypes.addressof(room) + 63) // 64 * 64
    read = max(
        octets
        * passes
        / _best(lambda octets=octets: probes.xor_read(start, octets, passes), rounds)  # type: ignore[misc]
        for octets in (16 * 1024, 24 * 1024)
    )
    places = (ctypes.c_uint16 * count)(*[7 * i * i % 4400 for i in range(count)])
    store = _best(lambda: probes.store(start, places, count, passes), rounds) / (count * passes)
    return Machine("C compiled for this machine", read, store)


def _with_numpy(rounds: int) -> Machine:
    try:
        np = optional("numpy")
    except MissingExtra as error:
        raise MissingExtra(f"no C compiler, and {error}") from error
    rows = np.ones((2, 1024), np.uint64)
    many = np.lib.stride_tricks.as_strided(rows[0], (4000, 1024), (0, 8))
    seconds = _best(lambda: np.bitwise_xor.reduce(many, axis=0, out=rows[1]), rounds)
    return Machine("numpy, a ^= b: too low by half or more", many.size * 8 / seconds, STUDY_STORE)


@dataclasses.dataclass(frozen=True)
class Work:
    """What the model counts."""

    draws: int
    product: int
    elimination: int

    def floor(self, read: float, store: float) -> float:
        """Return the seconds it takes at least."""
        return self.draws * store + (self.product + self.elimination) / read


def work(load: Workload) -> Work:
    """Count for a workload: encoding it if nothing is lost, decoding it otherwise."""
    m, size, lost = load.nb_frag, load.frag_size, load.lost
    rows = lost or load.nb_coded
    product = 5 * -(-m // 32) * rows * 64 * -(-size // 64)
    blocks, strips = -(-lost // 32), -(-(-(-lost // 8) + size) // 64)
    live = sum(strips - block * 32 // 512 for block in range(blocks))
    return Work(rows * (m // 2), product, 5 * live * rows * 64)


def _timed(loads: Sequence[Workload]) -> Iterator[tuple[Workload, Case]]:
    for load in loads:
        for name in [name for name in kernel_sets() if name.startswith("c-")]:
            if not load.loss:
                whole = [Case("encode", name, load.encode, check=load.check_coded)]
                run, check = load.encode_with_kernels, load.check_joined
                alone = Case("encode, kernels only", name, run, check=check)
            else:
                _ = load.received
                whole = [
                    Case("decode", name, load.decode, check=load.check_block),
                    Case("decode, fec.batch", name, load.decode_at_once, check=load.check_block),
                ]
                run, check = load.decode_with_kernels, load.check_missing
                alone = Case("decode, kernels only", name, run, check=check)
            for one in (*whole, alone):
                group = f"{load.name} {one.group}"
                yield load, dataclasses.replace(one, group=group, prepare=cold(name))


def cases(once: bool) -> list[Case]:
    """Nothing to compare side by side: see the table."""
    return []


def tables(once: bool, rounds: int) -> Iterator[Table]:
    """Measure the machine and the sessions in the same run."""
    try:
        here = machine(rounds)
    except MissingExtra as error:
        print(f"passed over: {error}")
        return
    yield Table(
        f"The machine ({here.how})",
        ("what", "here", "study"),
        [
            ("XOR-reading the first-level cache, GB/s", here.read / 1e9, 220.0),
            ("store of one octet, ns", here.store * 1e9, STUDY_STORE * 1e9),
        ],
    )
    rows: list[tuple[str | float | None, ...]] = []
    timed = list(_timed((W1, W2) if once else (W1, W2, W4)))
    for figure in measure([case for _, case in timed], rounds=rounds):
        load = next(load for load, case in timed if case.group == figure.group)
        parts = work(load)
        floor, own = parts.floor(here.read, STUDY_STORE), parts.floor(here.read, here.store)
        numbers = (
            parts.draws * STUDY_STORE,
            parts.product / here.read,
            parts.elimination / here.read,
            floor,
            figure.median,
        )
        factors = (figure.median / floor, figure.fastest / floor, figure.median / own)
        rows.append(
            (f"{figure.group}, {figure.name}", *[1e3 * number for number in numbers], *factors)
        )
    yield Table(
        "Times in ms, and how many times the floor they are",
        (
            "session",
            "draws",
            "product",
            "elimination",
            "floor",
            "median",
            "factor",
            "factor, fastest",
            "factor, measured stores",
        ),
        rows,
    )
