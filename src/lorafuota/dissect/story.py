"""A whole log explained: frames in order, fragments in runs, sessions with names, versions decided.

The log is read twice: once to find out which versions each device and its server speak, once to
explain every frame with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, final

from .._kinds import JSON
from ..catalogue import DEFAULT_FPORTS, PackageMap
from ..fragmentation.v1 import DataFragment
from ..package import Package
from ..types import UPLINK, Direction
from .deviceversions import VersionChoice
from .explain import MULTIPACKAGE, Explanation, explain
from .fragmentruns import FragmentRun
from .keyring import Keyring
from .logentry import Entry, open_entry
from .logreader import LogLine, Unread
from .logsessions import NamedSession, SessionNames
from .logversions import Homes, choose_versions
from .versions import readings

__all__ = ["Item", "Story", "tell"]


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
    opened = [one if isinstance(one, Unread) else open_entry(one, keys) for one in log]
    known = dict(speaks or {})
    homes = Homes(fports or {}, opened)
    choices = choose_versions(opened, known, homes)
    teller = _Teller(known, homes, choices)
    for one in opened:
        teller.take(one)
    return Story(
        items=tuple(teller.items),
        versions=tuple(choices.values()),
        sessions=teller.names.sessions,
    )


# --- The second reading ---------------------------------------------------------------------------


class _Teller:
    """Explains frames one after the other, and remembers sessions and runs."""

    def __init__(
        self,
        known: dict[str, int],
        homes: Homes,
        choices: dict[tuple[str, str], VersionChoice],
    ) -> None:
        self.items: list[Item] = []
        self.names = SessionNames()
        self._known, self._homes, self._choices = known, homes, choices
        self._maps: dict[tuple[str, Direction], PackageMap] = {}
        self._runs: dict[str, FragmentRun] = {}

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
        names = [
            self.names.name(command, one.owner, one.line, one.frame.time)
            for command in reading.commands
        ]
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
            found = self.names.setup_of(one.owner, fragment.frag_index)
            run = FragmentRun(line=one.line, owner=one.owner, frag_index=fragment.frag_index)
            if found is not None:
                run.session, setup = found
                run.nb_frag, run.frag_size = setup.nb_frag, setup.frag_size
            self._runs[one.owner] = run
            self.items.append(run)
        run.add(fragment, one.frame.time)
