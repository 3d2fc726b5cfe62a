"""Multi-Package Access (TS007): the device's ANS buffer and how it leaves in pieces.

A command set clears the buffer, and each of its answers is appended to it whole.  The buffer leaves
at once if it fits, otherwise in MultiPackBufferFrag, a piece at each opportunity.  It stays until
the next set, so that a server that missed something can ask for it again::

    command set ----------> [clear, token] -> answers -> whole, or pieces from 0
    MultiPackBufferReq ---> [keep]         -> the error piece, or pieces of the range asked for
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from ..errors import FieldError, require_int
from ..multipackage.commandset import CommandSet, read_command_set
from ..multipackage.v1 import NO_SUCH_BYTES, PACKAGE, MultiPackBufferFrag, MultiPackBufferReq
from ..package import Package
from ..wire import Command
from .actions import Action, Answer, Reboot, Rejected, Send
from .profile import SetProfile

__all__ = ["AnswerBuffer", "SetDevice"]

_PIECE_OVERHEAD = 3  # identifier, BaseByte, token


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

    def __init__(self, profile: SetProfile | None = None) -> None:
        """Start with an empty buffer.

        Args:
            profile: The stack imitated; None follows the document.
        """
        self.buffer = AnswerBuffer(profile)

    def receive(
        self,
        payload: bytes,
        *,
        packages: Mapping[int, Package],
        execute: Callable[[Package, Command], list[Answer | Action]],
        max_payload: int,
        now: float,
    ) -> list[Action]:
        """Take a payload of FPort 225; return what it caused, a reboot last.

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
        else:
            self.buffer.request(found)
        reboots = [one for one in actions if isinstance(one, Reboot)]
        actions = [one for one in actions if not isinstance(one, Reboot)]
        while (frame := self.buffer.next_frame(max_payload)) is not None:
            actions.append(Send(PACKAGE.fport, frame, now))
        return actions + reboots

    def _execute(
        self,
        commands: CommandSet,
        packages: Mapping[int, Package],
        execute: Callable[[Package, Command], list[Answer | Action]],
    ) -> list[Action]:
        profile, actions = self.buffer.profile, list[Action]()
        if commands.commands:
            self.buffer.begin(commands.token)
        silent = profile.silence_ends_all and commands.leftover is not None
        named = 0  # the package the last answer belongs to
        for one in commands.commands:
            caused = execute(packages[one.package], one.command)
            actions += [result for result in caused if not isinstance(result, Answer)]
            answers = [result for result in caused if isinstance(result, Answer)]
            for answer in answers:
                identify = one.explicit or one.package != named
                octets = bytes((0x80 | one.package,)) if identify else b""
                if self.buffer.append(octets + answer.command.encode()):
                    named = one.package
                elif not profile.skips_what_does_not_fit:
                    return actions
            ends = profile.silence_ends_all and not answers
            silent |= ends
            if ends or any(isinstance(result, Reboot) for result in caused):
                break
        if silent:
            self.buffer.begin(commands.token)
        return actions
