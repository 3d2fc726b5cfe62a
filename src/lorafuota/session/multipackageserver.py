"""Multi-Package Access (TS007), the server's side: command sets out, whole ANS buffers in.

Commands of any package are queued; as many as fit a downlink, and whose answers fit the device's
buffer, leave as one set.  One set is under way at a time, under a token of its own.  Its answers
come whole, or in pieces that may be lost::

    set, token t --->
                 <--- the buffer, or pieces of it           complete: SetAnswered, the next set
    a gap:  MultiPackBufferReq from the first octet missing ---> executes nothing again
    nothing at all: the same from 0, and then the set again, under the next token

The length of the buffer does not travel.  A device that stopped early has left a shorter one than
expected; to see that, the server asks from the *last octet it has*: an answer of that one octet
carries the token, which the error answer does not.  An error answer means that the buffer is
gone, for instance by a reset, and the set is sent again, with whatever it does.

What was under way is lost with the process unless the object is pickled.  A new one should begin
with another token, so that late answers are not taken for its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, final

from ..catalogue import PACKAGES
from ..errors import FieldError, StateError, require_int, require_time
from ..multipackage.commandset import CommandSet, PackagedCommand, read_answers
from ..multipackage.v1 import (
    BUFFER_SIZE,
    PACKAGE,
    DevPackageAns,
    DevPackageReq,
    MultiPackBufferFrag,
    MultiPackBufferReq,
)
from ..package import MAX_PAYLOAD, Package
from ..types import DOWNLINK, BytesLike
from ..wire import Command
from .actions import Dropped, DropReason, Rejected
from .expected import answer_kind, answer_room
from .reassembly import Expected, Reassembly, is_foreign, unanswered
from .retries import Retries
from .serveractions import Downlink, PackagesFound, ServerAction, SetAnswered, SetFailed, SetFailure

__all__ = ["MultiPackageServer"]

_FPORT: Final = PACKAGE.fport
_TO_THE_END: Final = 0x7F
_SHORTEST_SET: Final = 3
_BUFFER_OCTETS: Final = 125  # of LoRa Basics Modem; the document has 128

_Queued = tuple[PackagedCommand, type[Command] | None]
"""A command and the kind of its answer."""


@final
class MultiPackageServer:
    """The server's side of command sets, for one device.  Plain data; knows no clock."""

    def __init__(
        self,
        packages: Iterable[Package] = (),
        *,
        max_payload: int = MAX_PAYLOAD,
        buffer_octets: int = _BUFFER_OCTETS,
        max_waiting: int = 64,
        next_token: int = 0,
        retries: Retries = Retries(),  # noqa: B008  frozen
    ) -> None:
        """Start with nothing to send.

        Args:
            packages: What the device has, each in its version; without, :meth:`discover` first.
            max_payload: Octets a downlink can carry at the present data rate, 3 to 242.
            buffer_octets: Size of the device's ANS buffer, 1 to 128; known devices have 125.
            max_waiting: Commands that may wait to be sent, 1 or more.
            next_token: Command Token of the first set, 0 to 3.
            retries: After silence, and again for sets that are sent again.

        Raises:
            FieldError: A number is out of range, or two packages have one identifier.
        """
        self._packages: dict[int, Package] = {PACKAGE.identifier: PACKAGE}
        for package in packages:
            if self._packages.setdefault(package.identifier, package) != package:
                known = self._packages[package.identifier]
                expected = f"one version of each, and there is {known}"
                raise FieldError("MultiPackageServer", "packages", str(package), expected)
        self.max_payload = max_payload
        self._room = require_int(
            "MultiPackageServer", "buffer_octets", buffer_octets, 1, BUFFER_SIZE
        )
        self._max_waiting = require_int(
            "MultiPackageServer", "max_waiting", max_waiting, 1, 1 << 20
        )
        self._token = require_int("MultiPackageServer", "next_token", next_token, 0, 3)
        self.retries = retries
        self._waiting: deque[_Queued] = deque()
        self._set: CommandSet | None = None
        self._expected: tuple[Expected, ...] = ()
        self._held: int | None = None  # token of the buffer the device was last seen to have
        self._got = Reassembly()
        self._request: MultiPackBufferReq | None = None  # what was last asked for again
        self._silent = 0  # deadlines since something new came
        self._repeats = 0  # ... and how often the set was sent again
        self._due: float | None = None

    @property
    def max_payload(self) -> int:
        """Octets a downlink can carry; set it whenever the data rate changes."""
        return self._max_payload

    @max_payload.setter
    def max_payload(self, octets: int) -> None:
        self._max_payload = require_int(
            "MultiPackageServer", "max_payload", octets, _SHORTEST_SET, MAX_PAYLOAD
        )

    @property
    def packages(self) -> dict[int, Package]:
        """What the device is known to have, by PackageIdentifier."""
        return dict(self._packages)

    @property
    def under_way(self) -> CommandSet | None:
        """The set whose answers are awaited, or None."""
        return self._set

    @property
    def waiting(self) -> tuple[PackagedCommand, ...]:
        """The commands that will be sent when the set under way is over."""
        return tuple(one for one, _ in self._waiting)

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, GPS seconds."""
        return self._due

    # What the owner wants

    def discover(self, *, now: float) -> list[ServerAction]:
        """Ask the device for its packages and their versions.

        Raises:
            FieldError: *now* is no time.
            StateError: Too many commands are waiting.
        """
        return self.submit([(PACKAGE, DevPackageReq())], now=now)

    def submit(
        self, commands: Iterable[tuple[Package, Command]], *, now: float
    ) -> list[ServerAction]:
        """Queue commands, in order; send as many as fit if no set is under way.

        A command without an answer travels in a set of its own: one known stack answers nothing at
        all to a set that holds one.  Whether it arrived cannot be known, and it is not repeated.

        Args:
            commands: Each with its package, in the version the device has.
            now: GPS time.

        Raises:
            FieldError: A command is none of its package, cannot travel in a set, or does not fit a
                downlink; or *now* is no time.  None was queued.
            StateError: The device is not known to have that package in that version, or too many
                commands are waiting.  None was queued.
        """
        require_time("MultiPackageServer", "now", now)
        wanted = []
        for package, command in commands:
            one = PackagedCommand(package.identifier, command)
            name = type(command).__name__
            if type(command) not in package.commands or command.DIRECTION is not DOWNLINK:
                raise FieldError("submit", "commands", name, f"downlinks of {package}")
            if command.ALONE:
                raise FieldError("submit", "commands", name, "commands that can be in a set")
            if self._packages.get(package.identifier) != package:
                reason = f"the device is not known to have {package}: discover first"
                raise StateError("MultiPackageServer.submit", reason)
            size = len(CommandSet((one,), 0).encode())
            if size > self.max_payload:
                expected = f"a set of at most {self.max_payload} octets, this has {size}"
                raise FieldError("submit", "commands", name, expected)
            wanted.append((one, answer_kind(package, command)))
        if len(self._waiting) + len(wanted) > self._max_waiting:
            reason = f"more than {self._max_waiting} commands would be waiting"
            raise StateError("MultiPackageServer.submit", reason)
        self._waiting += wanted
        return self._next(now) if self._set is None else []

    # The inputs

    def receive(self, payload: BytesLike, *, now: float) -> list[ServerAction]:
        """Take an uplink on FPort 225; return what it caused, in order.

        Args:
            payload: FRMPayload in the clear.
            now: GPS time.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("MultiPackageServer", "now", now)
        payload = bytes(payload)
        found = read_answers(payload, self._packages)
        if isinstance(found, MultiPackBufferFrag):
            return self._piece(found, now)
        if payload[:1] == bytes((MultiPackBufferFrag.CID,)):
            return self._unreadable(payload, found)
        if not payload:
            return [Dropped(DropReason.UNASKED, "nothing")]
        self._held = found.token
        if self._set is None or found.token != self._set.token:
            return [Dropped(DropReason.UNASKED, f"token {found.token}")]
        if is_foreign(self._expected, found.commands):
            return [Dropped(DropReason.UNASKED, "other answers")]
        if found.leftover and not found.commands:  # noise
            return self._unreadable(payload, found)
        return self._unreadable(payload, found) + self._done(found.commands, now)

    def tick(self, *, now: float) -> list[ServerAction]:
        """Let time pass: ask again, or give up.  Harmless when called too early or too often.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("MultiPackageServer", "now", now)
        if self._due is None or self._set is None:
            return []
        if self._due > now:
            self._due = min(self._due, now + self.retries.seconds)  # time ran back
            return []
        self._silent += 1
        if self._silent >= self.retries.tries:
            return self._fail(now)
        if not self._got and self._silent % 2 == 0:
            return self._again(now)
        return self._ask(now)

    # A set

    def _next(self, now: float) -> list[ServerAction]:
        """Send the next set, and go on at once behind one that has no answers."""
        actions: list[ServerAction] = []
        while self._waiting and self._set is None:
            chosen = self._choose()
            if not chosen:
                failed, _ = self._waiting.popleft()
                actions.append(SetFailed((failed,), SetFailure.TOO_LONG))
                continue
            queued = [self._waiting.popleft() for _ in chosen]
            self._expected = tuple((one, kind) for one, kind in queued if kind is not None)
            self._repeats = 0
            actions.append(self._send(chosen, now))
            if not self._expected:
                actions.append(self._end(chosen, ()))
        return actions

    def _choose(self) -> tuple[PackagedCommand, ...]:
        """Return the head of the queue that makes one set; empty if not even one command fits."""
        chosen: tuple[PackagedCommand, ...] = ()
        room, package = self._room, PACKAGE.identifier
        for one, kind in self._waiting:
            room -= (answer_room(kind) if kind else 0) + (one.package != package)
            size = len(CommandSet((*chosen, one), 0).answer_octets()) + 1
            if size > self.max_payload or (chosen and (room < 0 or kind is None)):
                break
            chosen, package = (*chosen, one), one.package
            if kind is None:
                break
        return chosen

    def _send(self, commands: tuple[PackagedCommand, ...], now: float) -> ServerAction:
        if self._token == self._held:  # the device may still have that buffer
            self._token = (self._token + 1) % 4
        self._set = CommandSet(commands, self._token)
        self._token = (self._token + 1) % 4
        self._got, self._request, self._silent = Reassembly(), None, 0
        self._due = now + self.retries.seconds
        return Downlink(_FPORT, self._set)

    def _again(self, now: float) -> list[ServerAction]:
        """Send the set again, under the next token: two executions must not be mixed up."""
        assert self._set is not None  # one is under way
        if self._repeats >= self.retries.tries:
            return self._fail(now)
        self._repeats += 1
        silent = self._silent
        sent = self._send(self._set.commands, now)
        self._silent = silent
        return [sent]

    def _ask(self, now: float) -> list[ServerAction]:
        """Ask for what is missing: from a gap, else from the last octet known."""
        start = len(self._got.prefix)
        if not self._got.has_gap:
            start -= 1
        start = min(max(start, 0), _TO_THE_END - 1)  # known devices leave the last octet out
        self._request = MultiPackBufferReq(start_byte=start, stop_byte=_TO_THE_END)
        self._due = now + self.retries.seconds
        return [Downlink(_FPORT, self._request)]

    def _end(
        self, commands: tuple[PackagedCommand, ...], answers: tuple[PackagedCommand, ...]
    ) -> ServerAction:
        missing = unanswered(self._expected, answers)
        self._set, self._expected, self._got, self._due = None, (), Reassembly(), None
        return SetAnswered(commands, answers, missing)

    def _fail(self, now: float) -> list[ServerAction]:
        assert self._set is not None  # one is under way
        reading = self._got.read(self._set.token, self._packages, self._expected)
        failure = SetFailure.INCOMPLETE if self._got else SetFailure.NO_ANSWER
        failed = SetFailed(self._set.commands, failure, reading.answers)
        self._end(self._set.commands, ())
        return [failed, *self._next(now)]

    def _done(self, answers: tuple[PackagedCommand, ...], now: float) -> list[ServerAction]:
        assert self._set is not None  # one is under way
        actions: list[ServerAction] = [self._end(self._set.commands, answers)]
        for one in answers:
            if isinstance(one.command, DevPackageAns):
                actions.append(self._learn(one.command))
        return actions + self._next(now)

    def _learn(self, answer: DevPackageAns) -> ServerAction:
        """Take over what the device says it has; a version not known to us counts as not there."""
        own = self._packages.values()
        known = {(one.identifier, one.version): one for one in (*PACKAGES, *own)}
        told = [(one.package_identifier, one.package_version) for one in answer.packages]
        usable = tuple(known[each] for each in dict.fromkeys(told) if each in known)
        self._packages = {one.identifier: one for one in (*usable, PACKAGE)}
        return PackagesFound(answer.packages, usable)

    # Uplinks

    def _unreadable(self, payload: bytes, found: CommandSet) -> list[ServerAction]:
        return [Rejected(_FPORT, payload, found.leftover.error)] if found.leftover else []

    def _piece(self, piece: MultiPackBufferFrag, now: float) -> list[ServerAction]:
        if self._set is None:
            return [Dropped(DropReason.UNASKED, "a piece of a buffer")]
        if piece.ans is None:
            if self._request is None:
                return [Dropped(DropReason.UNASKED, "no such octets")]
            return self._again(now)  # what must be there is not: the buffer is gone
        self._held = piece.token
        if piece.token != self._set.token:
            return [Dropped(DropReason.UNASKED, f"token {piece.token}")]
        before = len(self._got)
        if not self._got.put(piece.base_byte, piece.ans):
            return self._again(now)  # two buffers under one token
        reading = self._got.read(self._set.token, self._packages, self._expected)
        if is_foreign(self._expected, reading.answers):
            return self._again(now)
        if reading.complete or reading.hopeless or self._is_last(piece):
            error, octets = reading.error, self._got.prefix
            rejected = [] if error is None else [Rejected(_FPORT, octets, error)]
            return rejected + self._done(reading.answers, now)
        if len(self._got) > before:
            self._silent, self._due = 0, now + self.retries.seconds
        return []

    def _is_last(self, piece: MultiPackBufferFrag) -> bool:
        """Whether the octet before the end was asked for, and nothing came behind it."""
        last = len(self._got.prefix) - 1
        asked = self._request is not None and self._request.start_byte == last
        alone = piece.base_byte == last and len(piece.ans or b"") == 1
        return asked and alone and not self._got.has_gap
