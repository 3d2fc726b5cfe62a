"""An ANS buffer put together from its pieces, on the server (TS007-1.0.0).

The length of the buffer does not travel.  What tells it is the answers: they parse, each of the
expected ones is there, and what would follow is of no interest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

from ..errors import DecodeError, TruncatedError
from ..multipackage.commandset import CommandSet, PackagedCommand, read_answers
from ..multipackage.v1 import BUFFER_SIZE
from ..package import Package
from ..wire import Command

__all__ = ["Expected", "Reading", "Reassembly", "is_foreign", "unanswered"]

Expected = tuple[PackagedCommand, type[Command]]
"""A command and the kind of its answer."""


class Reading(NamedTuple):
    """What a buffer says, as far as it is known."""

    answers: tuple[PackagedCommand, ...]
    complete: bool
    """Every expected answer is there."""
    error: DecodeError | None
    """Why the end of it cannot be read."""

    @property
    def hopeless(self) -> bool:
        """More octets would not help."""
        return self.error is not None and not isinstance(self.error, TruncatedError)


def unanswered(
    expected: Sequence[Expected], answers: Sequence[PackagedCommand]
) -> tuple[PackagedCommand, ...]:
    """Return the commands whose answer is not among *answers*, in order."""
    left = [(one.package, type(one.command)) for one in answers]
    missing = []
    for command, kind in expected:
        if (command.package, kind) in left:
            left.remove((command.package, kind))
        else:
            missing.append(command)
    return tuple(missing)


def is_foreign(expected: Sequence[Expected], answers: Sequence[PackagedCommand]) -> bool:
    """Say whether there is an answer nobody waits for: the buffer is that of another set.

    Two bits of token come back after four sets, and a device keeps its buffer for as long as it
    hears nothing.  A message that is no answer (AppTimeReq) may be there at any time.
    """
    wanted = [(command.package, kind) for command, kind in expected]
    for one in answers:
        key = (one.package, type(one.command))
        if key in wanted:
            wanted.remove(key)
        elif key[1].__name__.endswith("Ans"):
            return True
    return False


@final
class Reassembly:
    """The octets of one buffer, as far as they are known.  At most 128 of them."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        """Start without any."""
        self._octets: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._octets)

    def put(self, base_byte: int, ans: bytes) -> bool:
        """Place a piece; return False, having changed nothing, if it contradicts what is there.

        Octets beyond the 128th are left out: no buffer has them.
        """
        piece = dict(enumerate(ans[: BUFFER_SIZE - base_byte], base_byte))
        if any(self._octets.get(place, octet) != octet for place, octet in piece.items()):
            return False
        self._octets |= piece
        return True

    @property
    def prefix(self) -> bytes:
        """What is known from the beginning without a gap."""
        found = bytearray()
        while len(found) in self._octets:
            found.append(self._octets[len(found)])
        return bytes(found)

    @property
    def has_gap(self) -> bool:
        """Whether something is known behind something that is not."""
        return len(self.prefix) < len(self._octets)

    def read(
        self, token: int, packages: Mapping[int, Package], expected: Sequence[Expected]
    ) -> Reading:
        """Read the answers, as far as there is no gap.

        Known devices pad what they send again with octets of no meaning, so nothing is read behind
        the last expected answer.

        Args:
            token: Command Token of the set.
            packages: What the device has, by PackageIdentifier.
            expected: The commands whose answers are awaited.
        """
        found = read_answers(self.prefix + bytes((token,)), packages)
        if not isinstance(found, CommandSet):
            return Reading((), complete=False, error=None)
        for count in range(len(found.commands) + 1):
            if not unanswered(expected, found.commands[:count]):
                return Reading(found.commands[:count], complete=True, error=None)
        error = found.leftover.error if found.leftover else None
        return Reading(found.commands, complete=False, error=error)
