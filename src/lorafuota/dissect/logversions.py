"""From the frames of a log to the evidence for versions: which package is on which port of whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

from ..fragmentation.v1 import DataFragment
from ..package import Package
from ..types import DOWNLINK, UPLINK
from .devicepackages import Declared, declared, port_map
from .deviceversions import Evidence, VersionChoice, choose
from .explain import MULTIPACKAGE
from .logentry import GROUP, Entry
from .logreader import Unread

__all__ = ["Homes", "choose_versions"]


@final
class Homes:
    """Which package is on which port of which device, and what devices declare."""

    def __init__(self, fports: Mapping[str, int], opened: Iterable[Entry | Unread]) -> None:
        """Take in what devices declare.

        Args:
            fports: Ports that differ from the documents', by package.
            opened: The log.

        Raises:
            FieldError: There is no such package or port.
        """
        self.declared: list[tuple[str, str, Declared]] = []
        self._maps = {"": port_map(fports, None)}
        for one in opened:
            if isinstance(one, Entry) and one.frame.fport == MULTIPACKAGE.fport:
                said = None
                if one.frame.direction is UPLINK and one.frame.payload is not None:
                    said = declared(one.frame.payload)
                if said is not None:
                    self.declared.append((one.owner, f"line {one.line} on port 225", said))
                    if said.fports:
                        self._maps[one.owner] = port_map(fports, said)

    def package(self, one: Entry) -> Package | None:
        """Return the package, in any version, that a frame belongs to."""
        ports = self._maps.get(one.owner) or self._maps[""]
        return None if one.frame.fport is None else ports.at(one.frame.fport)


def choose_versions(
    opened: list[Entry | Unread], known: Mapping[str, int], homes: Homes
) -> dict[tuple[str, str], VersionChoice]:
    """Return the versions of each owner and package, from all frames of a log.

    Args:
        opened: The log.
        known: Versions that need no choice, by package.
        homes: Where packages live.
    """
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
        if one.owner.startswith(GROUP):  # what a group is sent is the same in every version
            asked.setdefault(package.name, set()).add(one.frame.payload[:1])
            continue
        key = (one.owner, package.name)
        if key not in evidence:
            evidence[key] = Evidence(package.name, asked.setdefault(package.name, set()))
        evidence[key].add(one.frame.direction, one.frame.payload, f"line {one.line}")
    for owner, where, said in homes.declared:
        for name, version in said.versions.items():
            if name in known or name == MULTIPACKAGE.name:
                continue
            evidence.setdefault((owner, name), Evidence(name)).take_word(version, where)
    return choose(evidence)
