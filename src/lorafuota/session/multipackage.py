"""Multi-Package Access (TS007): the device's ANS buffer and how it leaves in pieces.

A command set clears the buffer, and each of its answers is appended to it whole.  The buffer leaves
at once if it fits, otherwise in MultiPackBufferFrag, one piece after the other with a gap between
them: duty cycle, and a receive window in which the server can break off.  Each piece is cut when it
leaves, to what the data rate allows then.  The buffer stays until the next set, so that a server
that missed something can ask for it again::

    command set ----------> [clear, token] -> answers -> whole, or pieces from 0
    MultiPackBufferReq ---> [keep]         -> the error piece, or pieces of the range asked for
    gap is over ----------> the next piece          reboot --> what is left, then the reboot

Whatever is unsent after a reset is gone, and the buffer is empty (the document says nothing).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, final

from ..errors import FieldError, require_int
from ..multipackage.commandset import CommandSet, read_command_set
from ..multipackage.v1 import NO_SUCH_BYTES, PACKAGE, MultiPackBufferFrag, MultiPackBufferReq
from ..package import Package
from ..wire import Command
from .actions import Action, Answer, Dropped, DropReason, Reboot, Rejected, Send
from .gate import Results
from .profile import SetProfile
from .uplinks import no_room

__all__ = ["DEFAULT_GAP_SECONDS", "AnswerBuffer", "SetDevice"]

DEFAULT_GAP_SECONDS: Final = 10.0
"""Between two pieces: longer than the receive windows of class A."""

_PIECE_OVERHEAD: Final = 3  # identifier, BaseByte, token


@final
class AnswerBuffer:
    """One device's ANS buffer.  Plain data; survives copying and pickling."""

    def __init__(self, profile: SetProfile | None = None) -> None:
        """Start empty, as after a reset.

        Args:
            profile: The stack imitated; None follows the document.
        """
        self.profile = profile or SetProfile()
        self._ans = b""
        self._token = 0
        self._range: range | None = None  # what is still to be sent
        self._whole = False  # ... may leave without being cut
        self._error = False  # ... is the error piece

    @property
    def ans(self) -> bytes:
        """The answers, without token."""
        return self._ans

    @property
    def token(self) -> int:
        """Command Token of the set they answer."""
        return self._token

    @property
    def unsent(self) -> bool:
        """Whether :meth:`next_frame` has something to send."""
        return self._error or bool(self._range)

    def begin(self, token: int) -> None:
        """Clear for a new command set, abandoning what was being sent.

        Raises:
            FieldError: *token* is not 0 to 3.
        """
        require_int("AnswerBuffer", "token", token, 0, 3)
        self._ans, self._token = b"", token
        self._range, self._whole, self._error = range(0), True, False

    def append(self, answer: bytes) -> bool:
        """Append one answer, PackageID included if it has one; return False if it does not fit.

        The text about an overflow is not known to us.  Execution should stop at the first answer
        that does not fit: an answer is kept whole or not at all.
        """
        if len(self._ans) + len(answer) > self.profile.buffer_octets:
            return False
        self._ans += answer
        self._range = range(len(self._ans))
        return True

    def request(self, req: MultiPackBufferReq) -> None:
        """Start sending a part again, abandoning what was being sent."""
        stop = min(req.stop_byte - self.profile.stop_exclusive, len(self._ans) - 1)
        self._whole = False
        self._error = not req.start_byte <= stop
        self._range = range(req.start_byte, stop + 1)

    def next_frame(self, max_payload: int) -> bytes | None:
        """Return the next payload for FPort 225, or None when there is nothing to send.

        Args:
            max_payload: Octets the next uplink can carry, 4 at least.

        Raises:
            FieldError: *max_payload* leaves no room for an octet of the buffer.
        """
        if max_payload <= _PIECE_OVERHEAD:
            raise FieldError("AnswerBuffer", "max_payload", max_payload, "4 octets at least")
        if self._error:
            self._error, self._range = False, None
            error = MultiPackBufferFrag(base_byte=NO_SUCH_BYTES, ans=None, token=None).encode()
            return error + bytes((self._token,)) if self.profile.error_has_token else error
        if not self._range:
            return None
        todo = self._range
        overhead = _PIECE_OVERHEAD if self.profile.cuts_early else 1
        if self._whole and todo.start == 0 and len(todo) + overhead <= max_payload:
            self._range = None
            return self._ans + bytes((self._token,))
        piece = todo[: max_payload - _PIECE_OVERHEAD]
        self._range = todo[len(piece) :]
        ans = self._ans[piece.start : piece.stop]
        return MultiPackBufferFrag(base_byte=piece.start, ans=ans, token=self._token).encode()


@final
class SetDevice:
    """The device's side of command sets: executes them, and sends what the buffer holds."""

    def __init__(
        self, profile: SetProfile | None = None, *, gap_seconds: float = DEFAULT_GAP_SECONDS
    ) -> None:
        """Start with an empty buffer.

        Args:
            profile: The stack imitated; None follows the document.
            gap_seconds: Between two pieces, 0 or more.

        Raises:
            FieldError: *gap_seconds* is negative or no number.
        """
        if not 0 <= gap_seconds < math.inf:
            raise FieldError("SetDevice", "gap_seconds", gap_seconds, "0 or more seconds")
        self.buffer = AnswerBuffer(profile)
        self._gap = float(gap_seconds)
        self._next: float | None = None  # when the next piece is due

    @property
    def next_deadline(self) -> float | None:
        """When the next piece is due, in the owner's seconds; None when nothing is unsent."""
        return self._next

    def receive(
        self,
        payload: bytes,
        *,
        packages: Mapping[int, Package],
        execute: Callable[[Package, Command], Results],
        max_payload: int,
        now: float,
    ) -> list[Action]:
        """Take a payload of FPort 225; return what it caused, the first piece after the rest.

        Args:
            payload: FRMPayload in the clear.
            packages: What the device has, by PackageIdentifier.
            execute: Executes one command of a package.
            max_payload: Octets an uplink can carry.
            now: The owner's seconds.
        """
        found = read_command_set(payload, packages)
        actions: list[Action] = []
        if isinstance(found, CommandSet):
            actions += self._execute(found, packages, execute)
            if found.leftover is not None:
                actions.append(Rejected(PACKAGE.fport, payload, found.leftover.error))
            if not found.commands:
                return actions  # discarded: what is being sent goes on
        else:
            self.buffer.request(found)
        return actions + self._send(max_payload, now)

    def tick(self, *, max_payload: int, now: float) -> list[Action]:
        """Send the next piece if it is due.  Harmless when called too early or too often."""
        if self._next is None:
            return []
        if self._next > now:
            self._next = min(self._next, now + self._gap)  # time ran back
            return []
        return self._send(max_payload, now)

    def rest(self, *, max_payload: int, now: float) -> list[Action]:
        """Send everything that is unsent, each piece a gap after the one before: for a reboot."""
        actions, when = list[Action](), now if self._next is None else max(self._next, now)
        while self.buffer.unsent:
            actions += self._send(max_payload, when)
            when += self._gap
        return actions

    def _send(self, max_payload: int, when: float) -> list[Action]:
        frame = self.buffer.next_frame(max_payload)
        self._next = when + self._gap if self.buffer.unsent else None
        return [] if frame is None else [Send(PACKAGE.fport, frame, when)]

    def _execute(
        self,
        commands: CommandSet,
        packages: Mapping[int, Package],
        execute: Callable[[Package, Command], Results],
    ) -> list[Action]:
        profile, actions = self.buffer.profile, list[Action]()
        if commands.commands:
            self.buffer.begin(commands.token)
        silent = profile.silence_ends_all and commands.leftover is not None
        named = 0  # the package the last answer belongs to
        for at, one in enumerate(commands.commands):
            caused = execute(packages[one.package], one.command)
            actions += [result for result in caused if not isinstance(result, Answer)]
            answers = [result for result in caused if isinstance(result, Answer)]
            for answer in answers:
                identify = one.explicit or one.package != named
                octets = bytes((0x80 | one.package,)) if identify else b""
                if self.buffer.append(octets + answer.command.encode()):
                    named = one.package
                    continue
                actions.append(no_room(answer))
                if not profile.skips_what_does_not_fit:
                    return actions + [
                        Dropped(DropReason.NO_ROOM, type(unread.command).__name__)
                        for unread in commands.commands[at + 1 :]
                    ]
            ends = profile.silence_ends_all and not answers
            silent |= ends
            if ends or any(isinstance(result, Reboot) for result in caused):
                break
        if silent:
            self.buffer.begin(commands.token)
        return actions
