"""Names for what a log opens: fragmentation sessions, groups, windows of class B and C."""

from __future__ import annotations

import dataclasses
from typing import Any, final

from .._kinds import JSON
from ..gpstime import from_wire, utc_text
from ..wire import Command
from .logentry import GROUP
from .meaning import duration
from .words import count

__all__ = ["NamedSession", "SessionNames"]


@dataclasses.dataclass(slots=True, kw_only=True)
class NamedSession:
    """A session or group that a frame of the log opened.

    Attributes:
        name: ``F1`` and so on for fragmentation, ``G1`` for groups, ``B1`` and ``C1`` for windows.
        what: What it is, in a sentence.
        line: Where it was opened first.
        owners: Whom it was opened for, in order; the keys count.
    """

    name: str
    what: str
    line: int
    owners: dict[str, None]

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON."""
        return {"name": self.name, "what": self.what, "line": self.line, "owners": [*self.owners]}


@final
class SessionNames:
    """The names given so far, and the set-ups that sessions were opened with."""

    def __init__(self) -> None:
        """Start without a name."""
        self._sessions: list[NamedSession] = []
        self._by_key: dict[object, list[NamedSession]] = {}
        self._opened: dict[tuple[str, str], Command | None] = {}
        self._numbers: dict[str, int] = {}
        self._setups: dict[tuple[str, int], tuple[str, Any]] = {}
        self._group_setups: dict[int, tuple[str, Any]] = {}

    @property
    def sessions(self) -> tuple[NamedSession, ...]:
        """Everything that has a name, in the order of the log."""
        return tuple(self._sessions)

    def name(self, command: Command, owner: str, line: int, time: float | None) -> str:
        """Return the name of what a command opens, or belongs to; empty if it has none.

        Args:
            command: One command of the log.
            owner: The device or group it is from or to.
            line: Where it stands.
            time: When it was captured, in GPS seconds, if known.
        """
        message: Any = command
        match type(command).__name__:
            case "FragSessionSetupReq":
                words = _setup_words(message)
                name = self._open("F", (words, message.descriptor), words, owner, line, command)
                self._setups[owner, message.frag_index] = (name, message)
                if message.mc_group_bit_mask:
                    self._group_setups[message.frag_index] = (name, message)
                return name
            case "McGroupSetupReq":
                words = (
                    f"group {message.mc_group_id} with McAddr {message.mc_addr}, counters "
                    f"{message.min_mc_fcnt} to {message.max_mc_fcnt}"
                )
                key = (message.mc_group_id, message.mc_addr, message.min_mc_fcnt)
                return self._open("G", key, words, owner, line, None)
            case "McClassBSessionReq" | "McClassCSessionReq" as request:
                letter = request[len("McClass")]
                words = _window_words(letter, message, time)
                return self._open(letter, command.encode(), words, owner, line, None)
            case "FragSessionStatusReq" | "FragSessionStatusAns" | "FragSessionSetupAns":
                pass
            case "FragDataBlockReceivedReq" | "FragDataBlockReceivedAns":
                pass
            case "FragSessionDeleteReq" | "FragSessionDeleteAns":
                pass
            case _:
                return ""
        found = self.setup_of(owner, message.frag_index)
        return found[0] if found else ""

    def setup_of(self, owner: str, frag_index: int) -> tuple[str, Any] | None:
        """Return name and set-up of a session; what goes to a group was set up on its devices."""
        if owner.startswith(GROUP):
            return self._group_setups.get(frag_index)
        return self._setups.get((owner, frag_index))

    def _open(
        self, letter: str, key: object, what: str, owner: str, line: int, setup: Command | None
    ) -> str:
        """Name a session; set-ups that differ for one owner are sessions of their own.

        Counter and MIC are each device's own, so for different owners they make no difference.
        """
        same = self._by_key.setdefault((letter, key), [])
        for session in same:
            if self._opened.setdefault((session.name, owner), setup) == setup:
                session.owners[owner] = None
                return session.name
        number = self._numbers[letter] = self._numbers.get(letter, 0) + 1
        session = NamedSession(name=f"{letter}{number}", what=what, line=line, owners={owner: None})
        same.append(session)
        self._sessions.append(session)
        self._opened[session.name, owner] = setup
        return session.name


def _setup_words(setup: Any) -> str:
    size = setup.nb_frag * setup.frag_size - setup.padding
    block = f", a block of {count(size, 'octet')}" if size > 0 else ""
    how = "multicast" if setup.mc_group_bit_mask else "unicast"
    return (
        f"fragmentation session {setup.frag_index}, {how}, "
        f"{count(setup.nb_frag, 'fragment')} of {count(setup.frag_size, 'octet')}{block}"
    )


def _window_words(letter: str, request: Any, time: float | None) -> str:
    lasts = (128 if letter == "B" else 1) << request.time_out
    starts = request.session_time if time is None else from_wire(request.session_time, near=time)
    return (
        f"class {letter} window of group {request.mc_group_id}, from {utc_text(starts)} "
        f"(GPS {starts}) for {duration(lasts)} at most, "
        f"{request.dl_freq_hz / 1e6:g} MHz, DR {request.dr}"
    )
