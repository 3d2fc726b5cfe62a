"""A whole log explained: frames in order, fragments in runs, sessions with names, versions decided.

The log is read twice: once to find out which versions each device and its server speak, once to
explain every frame with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, final

from .._kinds import JSON
from ..catalogue import DEFAULT_FPORTS, PackageMap
from ..fragmentation.v1 import DataFragment
from ..gpstime import from_wire, utc_text
from ..package import Package
from ..types import DOWNLINK, UPLINK, Direction
from ..wire import Command
from .capture import Frame
from .devicepackages import Declared, declared, port_map
from .deviceversions import Evidence, VersionChoice, choose
from .explain import MULTIPACKAGE, Explanation, explain
from .fragmentruns import FragmentRun
from .frame import FrameKind, MicCheck, PhyExplanation, explain_phy
from .keyring import Keyring
from .logreader import Captured, LogLine, Unread, frame_to_json
from .meaning import count, duration
from .versions import readings

__all__ = ["Entry", "NamedSession", "Story", "tell"]

_GROUP: Final = "group "
_TRIES: Final = 16
"""Upper halves of a counter that are tried for a frame of a log."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One frame of the log, explained.

    Attributes:
        line: Its line.
        source: Which format it came in.
        frame: What was captured; with the payload, if a key opened it.
        owner: The device or group it belongs to.
        phy: Its PHYPayload, if the log has that.
        reading: What its payload says; None if there is none to read.
        sessions: Names of the sessions it opens or belongs to.
        note: Why there is nothing to read, or what else there is to say.
    """

    line: int
    source: str
    frame: Frame
    owner: str
    phy: PhyExplanation | None = None
    reading: Explanation | None = None
    sessions: tuple[str, ...] = ()
    note: str = ""

    def to_json(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "line": self.line,
            "source": self.source,
            "owner": self.owner,
            "frame": frame_to_json(self.frame),
            "utc": None if self.frame.time is None else utc_text(self.frame.time),
            "phy": None if self.phy is None else self.phy.to_json(),
            "reading": None if self.reading is None else self.reading.to_json(),
            "sessions": [*self.sessions],
            "note": self.note,
        }


@dataclasses.dataclass(slots=True, kw_only=True)
class NamedSession:
    """A session or group that a frame of the log opened.

    Attributes:
        name: ``F1`` and so on for fragmentation, ``G1`` for groups, ``B1`` and ``C1`` for windows.
        what: What it is, in a sentence.
        line: Where it was opened first.
        owners: Whom it was opened for.
    """

    name: str
    what: str
    line: int
    owners: list[str]

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON."""
        return {"name": self.name, "what": self.what, "line": self.line, "owners": [*self.owners]}


Item: TypeAlias = Entry | FragmentRun | Unread


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All of a log.

    Attributes:
        items: Frames, runs of fragments and lines that could not be read, in the log's order.
        versions: What each device speaks.
        sessions: Everything that got a name.
    """

    items: tuple[Item, ...]
    versions: tuple[VersionChoice, ...]
    sessions: tuple[NamedSession, ...]

    @property
    def complete(self) -> bool:
        """Whether every line and every payload of a package could be read."""
        for item in self.items:
            if isinstance(item, Unread) and not item.expected:
                return False
            if isinstance(item, Entry) and item.reading is not None and not item.reading.complete:
                return False
        return True

    def to_json(self) -> dict[str, JSON]:
        """Return all of it as JSON."""
        return {
            "complete": self.complete,
            "versions": [one.to_json() for one in self.versions],
            "sessions": [one.to_json() for one in self.sessions],
            "items": [item.to_json() for item in self.items],
        }


def tell(
    log: Iterable[LogLine],
    *,
    keys: Keyring | None = None,
    speaks: Mapping[str, int] | None = None,
    fports: Mapping[str, int] | None = None,
) -> Story:
    """Explain a log.

    Args:
        log: What :func:`read_log` gives.
        keys: Keys for frames that are still encrypted.
        speaks: Versions that are known, by package, for all devices.
        fports: Ports that differ from the documents', by package; a device that declares its own
            (DevPackageAns) is believed.

    Raises:
        FieldError: There is no such package, version or port.
    """
    keys = Keyring() if keys is None else keys
    opened = [one if isinstance(one, Unread) else _open(one, keys) for one in log]
    known = dict(speaks or {})
    homes = _Homes(fports or {}, opened)
    choices = _choose(opened, known, homes)
    teller = _Teller(known, homes, choices)
    for one in opened:
        teller.take(one)
    return Story(
        items=tuple(teller.items),
        versions=tuple(choices.values()),
        sessions=tuple(teller.sessions.values()),
    )


# --- Frames and their owners ----------------------------------------------------------------------


def _open(one: Captured, keys: Keyring) -> Entry:
    frame, phy = one.frame, None
    note = ""
    if frame.phy is not None:
        phy = explain_phy(frame.phy, keys, near_fcnt=frame.fcnt, tries=_TRIES)
        if frame.payload is None or frame.fport is None:
            frame, note = _with_payload(frame, phy, keys)
    return Entry(
        line=one.line,
        source=one.source,
        frame=frame,
        owner=_owner(frame, phy),
        phy=phy,
        note=note,
    )


def _with_payload(frame: Frame, phy: PhyExplanation, keys: Keyring) -> tuple[Frame, str]:
    if phy.kind is not FrameKind.DATA:
        reason = phy.anomalies[0].sentence if phy.kind is FrameKind.UNREADABLE else ""
        return frame, reason or f"a {phy.kind.value}"
    address = phy.address
    if phy.payload is None or address is None:
        why = (
            "the MIC does not fit the keys"
            if phy.check is MicCheck.DOES_NOT_FIT
            else "no key for it"
        )
        return frame, f"encrypted, and {why}"
    return dataclasses.replace(
        frame,
        direction=phy.direction or frame.direction,
        fport=phy.fport,
        payload=phy.payload if phy.fport is not None else None,
        fcnt=phy.fcnt,
        mc_addr=address if phy.multicast else frame.mc_addr,
        dev_eui=frame.dev_eui or keys.dev_eui(address),
    ), "" if phy.fport else "no application payload"


def _owner(frame: Frame, phy: PhyExplanation | None) -> str:
    if frame.mc_addr is not None:
        return f"{_GROUP}{frame.mc_addr}"
    if frame.dev_eui is not None:
        return str(frame.dev_eui)
    if phy is not None and phy.address is not None:
        return f"address {phy.address}"
    return "unnamed device"


class _Homes:
    """Which package is on which port of which device, and what devices declare."""

    def __init__(self, fports: Mapping[str, int], opened: Iterable[Entry | Unread]) -> None:
        self.declared: dict[str, tuple[str, Declared]] = {}
        self._fports = fports
        self._maps = {"": port_map(fports, None)}
        for one in opened:
            if isinstance(one, Entry) and one.frame.fport == MULTIPACKAGE.fport:
                said = None
                if one.frame.direction is UPLINK and one.frame.payload is not None:
                    said = declared(one.frame.payload)
                if said is not None:
                    self.declared[one.owner] = (f"line {one.line} DevPackageAns", said)
                    self._maps[one.owner] = port_map(fports, said)

    def package(self, one: Entry) -> Package | None:
        ports = self._maps.get(one.owner) or self._maps[""]
        return None if one.frame.fport is None else ports.at(one.frame.fport)


def _choose(
    opened: list[Entry | Unread], known: Mapping[str, int], homes: _Homes
) -> dict[tuple[str, str], VersionChoice]:
    evidence: dict[tuple[str, str], Evidence] = {}
    asked: dict[str, set[bytes]] = {}
    for one in opened:
        if isinstance(one, Unread) or one.frame.payload is None:
            continue
        package = homes.package(one)
        if package is None or package is MULTIPACKAGE or package.name in known:
            continue
        if one.frame.payload[:1] == bytes((DataFragment.CID,)) and one.frame.direction is DOWNLINK:
            continue  # the same in every version, and there are thousands
        if one.owner.startswith(_GROUP):  # what a group is sent is the same in every version
            asked.setdefault(package.name, set()).add(one.frame.payload[:1])
            continue
        key = (one.owner, package.name)
        if key not in evidence:
            evidence[key] = Evidence(package.name, asked.setdefault(package.name, set()))
        evidence[key].add(one.frame.direction, one.frame.payload, f"line {one.line}")
    for owner, (where, said) in homes.declared.items():
        for name, version in said.versions.items():
            if name in known or name == MULTIPACKAGE.name:
                continue
            evidence.setdefault((owner, name), Evidence(name)).take_word(version, where)
    return choose(evidence)


# --- The second reading ---------------------------------------------------------------------------


class _Teller:
    """Explains frames one after the other, and remembers sessions and runs."""

    def __init__(
        self,
        known: dict[str, int],
        homes: _Homes,
        choices: dict[tuple[str, str], VersionChoice],
    ) -> None:
        self.items: list[Item] = []
        self.sessions: dict[object, NamedSession] = {}
        self._known, self._homes, self._choices = known, homes, choices
        self._numbers: dict[str, int] = {}
        self._maps: dict[tuple[str, Direction], PackageMap] = {}
        self._runs: dict[str, FragmentRun] = {}
        self._setups: dict[tuple[str, int], tuple[str, Any]] = {}
        self._group_setups: dict[int, tuple[str, Any]] = {}

    def take(self, one: Entry | Unread) -> None:
        if isinstance(one, Unread) or one.frame.payload is None or one.frame.fport is None:
            self.items.append(one)
            return
        package = self._homes.package(one)
        if package is None:
            note = "MAC commands" if one.frame.fport == 0 else "the application's own port"
            self.items.append(dataclasses.replace(one, note=note))
            return
        reading = self._read(one, package, one.frame.payload)
        if [type(command) for command in reading.commands] == [DataFragment] and reading.complete:
            if not reading.anomalies:
                self._take_fragment(one, reading.commands[0])
                return
        else:
            self._runs.pop(one.owner, None)
        names = [self._name(one, command) for command in reading.commands]
        self.items.append(
            dataclasses.replace(
                one,
                reading=reading,
                sessions=tuple(dict.fromkeys(name for name in names if name)),
                note=self._mismatch(one, package, reading),
            )
        )

    def _read(self, one: Entry, package: Package, payload: bytes) -> Explanation:
        frame = one.frame
        speaks = self._speaks(one.owner, frame.direction)
        if package is MULTIPACKAGE and not speaks.versions:
            return readings(package, frame.direction, payload, time=frame.time)[0].explanation
        package = speaks.packages[package.identifier]
        return explain(package, frame.direction, payload, speaks=speaks, time=frame.time)

    def _speaks(self, owner: str, direction: Direction) -> PackageMap:
        """Return the versions of what an owner sends, or is sent."""
        if (owner, direction) not in self._maps:
            spoken = dict(self._known)
            for name in DEFAULT_FPORTS:
                choice = self._choices.get((owner, name))
                if choice is not None:
                    spoken[name] = choice.device if direction is UPLINK else choice.server
            self._maps[owner, direction] = PackageMap(spoken)
        return self._maps[owner, direction]

    def _mismatch(self, one: Entry, package: Package, reading: Explanation) -> str:
        """Say what the device makes of a downlink in another version than its own."""
        choice = self._choices.get((one.owner, package.name))
        if choice is None or choice.agree or one.frame.direction is UPLINK:
            return ""
        other = PackageMap({package.name: choice.device}).packages[package.identifier]
        theirs = explain(other, one.frame.direction, reading.payload)
        if theirs.complete and theirs.names == reading.names:
            return ""
        left = theirs.leftover
        then = f", then at octet {left.error.offset} {left.error.reason}" if left else ""
        return f"the device speaks {other} and reads {theirs.names}{then}"

    def _take_fragment(self, one: Entry, fragment: Any) -> None:
        run = self._runs.get(one.owner)
        if run is None or run.frag_index != fragment.frag_index:
            found = self._setup_of(one.owner, fragment.frag_index)
            run = FragmentRun(line=one.line, owner=one.owner, frag_index=fragment.frag_index)
            if found is not None:
                run.session, setup = found
                run.nb_frag, run.frag_size = setup.nb_frag, setup.frag_size
            self._runs[one.owner] = run
            self.items.append(run)
        run.add(fragment, one.frame.time)

    # --- Names ------------------------------------------------------------------------------------

    def _name(self, one: Entry, command: Command) -> str:
        """Return the name of what a command opens, or belongs to; empty if it has none."""
        message: Any = command
        match type(command).__name__:
            case "FragSessionSetupReq":
                name = self._open(one, "F", command, _setup_words(message), command.encode())
                self._setups[one.owner, message.frag_index] = (name, message)
                if message.mc_group_bit_mask:
                    self._group_setups[message.frag_index] = (name, message)
                return name
            case "McGroupSetupReq":
                words = (
                    f"group {message.mc_group_id} with McAddr {message.mc_addr}, counters "
                    f"{message.min_mc_fcnt} to {message.max_mc_fcnt}"
                )
                key = (message.mc_group_id, message.mc_addr, message.min_mc_fcnt)
                return self._open(one, "G", command, words, key)
            case "McClassBSessionReq" | "McClassCSessionReq" as request:
                letter = request[len("McClass")]
                words = _window_words(letter, message, one.frame.time)
                return self._open(one, letter, command, words, command.encode())
            case "FragSessionStatusReq" | "FragSessionStatusAns" | "FragSessionSetupAns":
                pass
            case "FragDataBlockReceivedReq" | "FragDataBlockReceivedAns":
                pass
            case "FragSessionDeleteReq" | "FragSessionDeleteAns":
                pass
            case _:
                return ""
        found = self._setup_of(one.owner, message.frag_index)
        return found[0] if found else ""

    def _setup_of(self, owner: str, frag_index: int) -> tuple[str, Any] | None:
        """Return name and set-up of a session; what goes to a group was set up on its devices."""
        if owner.startswith(_GROUP):
            return self._group_setups.get(frag_index)
        return self._setups.get((owner, frag_index))

    def _open(self, one: Entry, letter: str, command: Command, what: str, key: object) -> str:
        """Name a session; the same set-up for many devices is one session."""
        session = self.sessions.get((letter, key))
        if session is None:
            number = self._numbers[letter] = self._numbers.get(letter, 0) + 1
            session = NamedSession(name=f"{letter}{number}", what=what, line=one.line, owners=[])
            self.sessions[letter, key] = session
        if one.owner not in session.owners:
            session.owners.append(one.owner)
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
