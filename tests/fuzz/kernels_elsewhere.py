"""Invariant: the kernels in C, without Python around them, do what the reference does (R4).

Compiles them with any compiler and runs them on cases made here, if need be under an emulator:

    python -m tests.fuzz.kernels_elsewhere
    python -m tests.fuzz.kernels_elsewhere --flags="-fsanitize=address,undefined -g"
    python -m tests.fuzz.kernels_elsewhere --flags="-DLORAFUOTA_PLAIN -O3 -fno-tree-vectorize"
    python -m tests.fuzz.kernels_elsewhere \\
        --cc aarch64-linux-gnu-gcc --flags=-static --run qemu-aarch64
    python -m tests.fuzz.kernels_elsewhere \\
        --cc s390x-linux-gnu-gcc --flags=-static --run qemu-s390x

The last two need, on Debian, gcc-aarch64-linux-gnu, gcc-s390x-linux-gnu and qemu-user; the last
one is big-endian.  With the address sanitizer this is also the check that no memory is lost.
"""

from __future__ import annotations

import argparse
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from bitarray import bitarray

import lorafuota.fec
from lorafuota.fec import _reference
from tests.laws.test_kernel_laws import Session, cases, random_lines, session

HERE = pathlib.Path(__file__).parent
FEC = pathlib.Path(lorafuota.fec.__file__).parent


def record(
    kernel: int, numbers: Sequence[int], buffers: Sequence[bytes | bytearray], expected: bytes
) -> bytes:
    """One case as kernels_alone.c reads it."""
    parts: list[bytes | bytearray] = [
        struct.pack(f"<{len(numbers) + 3}I", kernel, len(numbers), *numbers, len(buffers))
    ]
    for buffer in (*buffers, expected):
        parts += [struct.pack("<I", len(buffer)), buffer]
    return b"".join(parts)


def records(seed: int, count: int) -> Iterator[bytes]:
    """Cases for all kernels, *count* of each."""
    for chance, it in cases(seed, count):
        m, numbers, variant = random_lines(chance, 0.1)
        lines = _reference.lines(m, numbers, variant)
        yield record(0, [m, variant, *numbers], [], lines)
        m, size, missing = it.nb_frag, it.frag_size, it.missing
        payloads = _reference.product(it.data, size, m, it.lines)
        yield record(1, [size, m], [it.data, it.lines], payloads)
        basis = bytearray(_reference.basis_octets(len(it.lost)))
        raised = _reference.rank_add(basis, missing, m, it.lines)
        yield record(2, [m], [missing, it.lines], raised)
        if raised.count(1) == len(it.lost):
            lost = b"".join(it.data[k * size : (k + 1) * size] for k in it.lost)
            yield record(3, [size, m], [it.block, missing, it.lines, payloads], lost)
        coded = chance.choice([0, 1, 7, m, 530])
        lines = _reference.lines(m, list(range(m + 1, m + coded + 1)), chance.choice([0, 1, 3]))
        octets = (m + coded + 7) // 8
        heard = b"".join(
            bytes(a | b for a, b in _pairs(chance.randbytes(2 * octets))) for _ in "123"
        )
        answers = _reference.completions(m, coded, lines, heard)
        yield record(4, [m, coded], [lines, heard], answers)
        yield from _decoding(session(chance))


def _decoding(it: Session) -> Iterator[bytes]:
    """The case for ``decode``, unless what Python sees to before is wrong with it."""
    m, size = it.nb_frag, it.frag_size
    block, received = bytearray(b"?" * m * size), bitarray(m, endian="little")
    taken = _reference.take(block, received, size, m, it.fragments, 0)
    coded = it.fragments[taken : m + it.max_checks]
    if any(type(one) is not tuple or list(map(type, one)) != [int, bytes] for one in coded):
        return
    numbers, parts = [n for n, _ in coded], [part for _, part in coded]
    possible = all(m < n <= 16383 for n in numbers) and len(set(numbers)) == len(numbers)
    if possible and all(len(part) == size for part in parts):
        expected, _, needed = _reference.decode(*it) or (b"", b"", taken - 1)
        buffers = [bytes(block), (~received).tobytes(), b"".join(parts)]
        yield record(5, [size, m, it.variant, needed - taken + 1, *numbers], buffers, expected)


def _pairs(octets: bytes) -> Iterator[tuple[int, int]]:
    return zip(octets[::2], octets[1::2], strict=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cc", default="cc", help="the compiler")
    parser.add_argument("--flags", default="", help="more flags for it; -O2 is given")
    parser.add_argument("--run", default="", help="what runs the program, an emulator")
    parser.add_argument("--cases", type=int, default=400, help="of each kernel")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        program = f"{directory}/kernels"
        command = [arguments.cc, "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror"]
        command += [*shlex.split(arguments.flags), f"-I{FEC}", str(HERE / "kernels_alone.c")]
        subprocess.run([*command, "-o", program], check=True)
        data = b"".join(records(arguments.seed, arguments.cases))
        return subprocess.run([*shlex.split(arguments.run), program], input=data).returncode


if __name__ == "__main__":
    sys.exit(main())
