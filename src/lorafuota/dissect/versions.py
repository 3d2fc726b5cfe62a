"""Which version of a package explains a payload: all readings, ranked, with reasons in words.

Nothing on the wire says which version a command is of, and two ends that speak different versions
are the most frequent cause of octets that do not parse.  So each version reads the payload, and
what speaks for and against each reading is said: octets left over, reserved bits, values nobody
sends.  For a log :mod:`.deviceversions` adds what the device has said and done so far.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from .._kinds import JSON
from ..catalogue import PACKAGES, PackageMap, package
from ..package import Package
from ..types import DOWNLINK, UPLINK, BytesLike, Direction
from .anomaly import Oddity
from .explain import MULTIPACKAGE, Explanation, explain, refusal
from .words import count

__all__ = ["Candidate", "Reason", "hints", "rank", "readings", "same_reading", "versions_of"]

_UNREADABLE: Final = -10
_RESERVED: Final = -3
_ODD: Final = -2


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for a reading, or against it if its weight is negative."""

    weight: int
    sentence: str


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of a payload, and what speaks for and against it."""

    explanation: Explanation
    name: str
    """Package and version, and on FPort 225 the versions that differ from the newest."""
    reasons: tuple[Reason, ...]

    @property
    def weight(self) -> int:
        """The weights of all reasons together."""
        return sum(reason.weight for reason in self.reasons)

    def to_json(self) -> dict[str, JSON]:
        """Return the candidate as JSON, without the explanation of every field."""
        return {
            "name": self.name,
            "weight": self.weight,
            "complete": self.explanation.complete,
            "commands": [type(command).__name__ for command in self.explanation.commands],
            "reasons": [reason.sentence for reason in self.reasons],
        }


def versions_of(name: str) -> list[int]:
    """Return the versions there are of a package, by name or document; none of an unknown one."""
    wanted = name.lower()
    return [one.version for one in PACKAGES if wanted in (one.name, one.document[:5].lower())]


def readings(
    one: Package, direction: Direction, payload: BytesLike, *, time: float | None = None
) -> list[Candidate]:
    """Return what each version of a package makes of a payload, best first, newest among equals.

    Args:
        one: The package, in any version.
        direction: Who sent the payload.
        payload: FRMPayload in the clear.
        time: When it was captured, in GPS seconds, if known.
    """
    found: list[Candidate] = []
    newest = package(one.name, max(versions_of(one.name)))
    for other, speaks, name in _other_versions(newest, PackageMap()):
        candidate = rank(explain(other, direction, payload, speaks=speaks, time=time), name)
        if one is MULTIPACKAGE and any(same_reading(candidate, before) for before in found):
            continue  # a change of version that changes nothing here
        found.append(candidate)
    return sorted(found, key=lambda candidate: -candidate.weight)


def rank(explanation: Explanation, name: str) -> Candidate:
    """Say what speaks for and against one reading, from its octets alone."""
    left = explanation.leftover
    reasons = []
    if left is None:
        sentence = f"reads all of {count(len(explanation.payload), 'octet')}"
        reasons.append(Reason(0, f"{sentence}: {explanation.names}"))
    else:
        size = count(len(left.payload) + 1, "octet")
        sentence = f"cannot read {size} from octet {left.offset}: {left.error.reason}"
        if explanation.pieces:
            sentence = f"reads {explanation.names}, then {sentence}"
        reasons.append(Reason(_UNREADABLE, sentence))
    for anomaly in explanation.anomalies:
        if anomaly.code in (Oddity.RESERVED_BITS, Oddity.RESERVED_VALUE):
            reasons.append(Reason(_RESERVED, f"reserved bits are set: {anomaly.sentence}"))
        elif left is None or anomaly.at < left.offset:
            reasons.append(Reason(_ODD, f"odd: {anomaly.sentence}"))
    return Candidate(explanation, name, tuple(reasons))


def same_reading(one: Candidate, other: Candidate) -> bool:
    """Tell whether two readings have the same commands with the same values."""
    a, b = one.explanation, other.explanation
    alike = [type(c).__name__ for c in a.commands] == [type(c).__name__ for c in b.commands]
    values = [c.to_json() for c in a.commands] == [c.to_json() for c in b.commands]
    where = [left and (left.offset, left.error.reason) for left in (a.leftover, b.leftover)]
    return alike and values and where[0] == where[1]


def hints(explanation: Explanation) -> list[str]:
    """Say which other version, or the other direction, explains a payload to its last bit."""
    return list(_hints(explanation))


def _hints(explanation: Explanation) -> Iterator[str]:
    one, speaks, direction = explanation.package, explanation.speaks, explanation.direction
    other = DOWNLINK if direction is UPLINK else UPLINK
    for way in (direction, other):
        where = "" if way is direction else f", {way.value}"
        found: list[Sequence[object]] = []
        for instead, speaking, name in _other_versions(one, speaks):
            same = instead is one and speaking == speaks and way is direction
            if same or refusal(instead, speaking, way, explanation.payload):
                continue
            read = explain(instead, way, explanation.payload, speaks=speaking)
            if read.commands in found:
                continue  # a change of version that changes nothing here
            found.append(read.commands)
            yield f"reads completely as {name}{where}: {read.names}"
        if found:
            return


def _other_versions(one: Package, speaks: PackageMap) -> Iterator[tuple[Package, PackageMap, str]]:
    """Return what else the device might speak, the nearest first, with a name to type."""
    if one is not MULTIPACKAGE:
        for version in sorted(versions_of(one.name), key=lambda v: abs(v - one.version)):
            other = package(one.name, version)
            yield other, speaks, str(other)
        return
    now = {each.name: each.version for each in speaks.packages.values() if each is not one}
    choices = [[(name, version) for version in versions_of(name)] for name in now]
    every = [dict(pairs) for pairs in itertools.product(*choices)]
    for versions in sorted(every, key=lambda v: sum(v[name] != now[name] for name in now)):
        changed = [f"{name}/{v}" for name, v in versions.items() if v != now[name]]
        yield one, PackageMap(versions), " --speaks ".join([str(one), *changed])
