"""Which version of each package a device speaks, and its server, from all their frames in a log.

Each version reads every frame.  What speaks for and against it in the octets alone
(:mod:`.versions`) adds up, once for what the device sent and once for what it was sent, because the
two ends may differ: that is the most frequent fault of all.  What was said and done so far counts
too.  PackageVersionAns decides.  An answer to a request that only one version reads speaks for that
version; counters that agree with the NbFrag of the set-up do as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Set
from typing import Any, Final, final

from .._kinds import JSON
from ..catalogue import package
from ..package import PackageVersionAns
from ..types import DOWNLINK, UPLINK, Direction
from ..wire import Command
from .explain import explain
from .versions import rank, versions_of

__all__ = ["Evidence", "VersionChoice", "choose"]

_TOLD: Final = 1000
_ANSWERS: Final = 3
_UNASKED: Final = -1
_AGREES: Final = 2
_MEMORY: Final = 200
"""Reasons that are remembered in words; all of them count."""
_SHOWN: Final = 4
"""Reasons for each end that are shown."""
_PLAUSIBLE: Final = 3
"""A sender that sends more than this many times NbFrag fragments, and 255, is none."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VersionChoice:
    """What a log says about one package of one device.

    Attributes:
        owner: The device, as the log names it.
        package: The package's name.
        device: The version the device speaks.
        server: The version its server speaks to it.
        told: Whether the device itself said so (PackageVersionAns).
        reasons: What decided, and against what, in words.
    """

    owner: str
    package: str
    device: int
    server: int
    told: bool
    reasons: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether both ends speak the same version."""
        return self.device == self.server

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON, in the order of its attributes."""
        plain = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return {**plain, "reasons": [*self.reasons]}


@dataclasses.dataclass(slots=True)
class _State:
    """What was said and done so far, if one version is right."""

    pending: set[int] = dataclasses.field(default_factory=set)
    """Identifiers of requests without an answer yet."""
    setups: dict[int, int] = dataclasses.field(default_factory=dict)
    """NbFrag by FragIndex."""


@final
class Evidence:
    """What the frames of one device on one package's port say about versions."""

    def __init__(self, name: str, asked: Set[bytes] = frozenset()) -> None:
        """Start without a frame.

        Args:
            name: The package.
            asked: Identifiers of requests that went to a group; it may grow.  An answer to one of
                them says nothing of the version.
        """
        self.name = name
        self._asked = asked
        self.versions = versions_of(name)
        self._weights = {way: dict.fromkeys(self.versions, 0) for way in Direction}
        self._reasons: dict[tuple[Direction, int], list[tuple[int, str]]] = {
            (way, version): [] for way in Direction for version in self.versions
        }
        self._states = {version: _State() for version in self.versions}
        self._told: int | None = None

    def add(self, direction: Direction, payload: bytes, where: str) -> None:
        """Take in one payload.

        Args:
            direction: Who sent it.
            payload: FRMPayload in the clear.
            where: Where it stands, for the reasons.
        """
        for version in self.versions:
            one = package(self.name, version)
            candidate = rank(explain(one, direction, payload), str(one))
            for reason in candidate.reasons:
                self._count(version, direction, reason.weight, f"{where} {reason.sentence}")
            for command in candidate.explanation.commands:
                for weight, sentence in self._of_state(self._states[version], direction, command):
                    self._count(version, direction, weight, f"{where} {sentence}")
                if isinstance(command, PackageVersionAns) and version == self.versions[0]:
                    self._take_word(command, where)

    def _take_word(self, ans: PackageVersionAns, where: str) -> None:
        if ans.package_identifier == package(self.name, self.versions[0]).identifier:
            self.take_word(ans.package_version, where)

    def take_word(self, version: int, where: str) -> None:
        """Take the device's word for its version; one nobody knows changes nothing.

        Args:
            version: PackageVersion, from PackageVersionAns or DevPackageAns.
            where: Where it stands, for the reasons.
        """
        if version in self.versions:
            self._told = version
            self._count(version, UPLINK, _TOLD, f"{where} the device says so")

    def _count(self, version: int, way: Direction, weight: int, sentence: str) -> None:
        if weight == 0:
            return
        self._weights[way][version] += weight
        kept = self._reasons[way, version]
        if len(kept) < _MEMORY:
            kept.append((weight, sentence))

    def _of_state(
        self, state: _State, way: Direction, command: Command
    ) -> Iterator[tuple[int, str]]:
        name = type(command).__name__
        if way is DOWNLINK:
            if name.endswith("Req"):
                state.pending.add(command.CID)
            if name == "FragSessionSetupReq":
                setup: Any = command
                state.setups[setup.frag_index] = setup.nb_frag
            return
        if name.endswith("Ans") and bytes((command.CID,)) not in self._asked:
            if command.CID in state.pending:
                state.pending.remove(command.CID)
                yield _ANSWERS, f"{name} answers a request"
            else:
                yield _UNASKED, f"{name} answers nothing that was asked"
        if name == "FragSessionStatusAns":
            yield from self._of_status(state, command)

    @staticmethod
    def _of_status(state: _State, status: Any) -> Iterator[tuple[int, str]]:
        nb_frag = state.setups.get(status.frag_index)
        if nb_frag is None:
            if state.setups and status.frag_index is not None:
                sentence = f"FragIndex {status.frag_index} was never set up, but others were"
                yield -_AGREES, sentence
            return
        received, missing = status.nb_frag_received, status.missing_frag
        counts = f"{received} received and {missing} missing"
        sent = _PLAUSIBLE * nb_frag + 255
        fits = missing == 255 or missing <= nb_frag <= received + missing
        if fits and received <= sent:
            yield _AGREES, f"{counts} agree with NbFrag {nb_frag}"
        else:
            yield -_AGREES, f"{counts} do not agree with NbFrag {nb_frag}"

    def choice(self, owner: str) -> VersionChoice:
        """Return the versions that explain best what was taken in."""
        device = self._told or self._best(UPLINK)
        server = self._best(DOWNLINK)
        newest = self.versions[-1]
        chosen = device or server or newest
        sent = server or chosen
        return VersionChoice(
            owner=owner,
            package=self.name,
            device=chosen,
            server=sent,
            told=self._told is not None,
            reasons=tuple(self._words(chosen, sent)),
        )

    def _best(self, way: Direction) -> int | None:
        """Return the version with the most weight, or None if it is not alone."""
        weights = self._weights[way]
        most = max(weights.values())
        found = [version for version, weight in weights.items() if weight == most]
        return found[0] if len(found) == 1 else None

    def _words(self, device: int, server: int) -> Iterator[str]:
        if len(self.versions) == 1:
            yield "there is only one version"
            return
        if all(len(set(weights.values())) == 1 for weights in self._weights.values()):
            yield "all versions read these frames alike; the newest is shown"
            return
        for way, chosen, end in ((UPLINK, device, "the device"), (DOWNLINK, server, "its server")):
            every = [set(self._reasons[way, version]) for version in self.versions]
            common = set.intersection(*every)
            found = [
                f"{end}, {'for' if weight > 0 else 'against'} {self.name}/{version}: {sentence}"
                for version in self.versions
                for weight, sentence in self._reasons[way, version]
                if (weight > 0) is (version == chosen) and (weight, sentence) not in common
            ]
            yield from found[:_SHOWN]
            if len(found) > _SHOWN:
                yield "and more like these"


def choose(evidence: dict[tuple[str, str], Evidence]) -> dict[tuple[str, str], VersionChoice]:
    """Return the choice for each owner and package."""
    return {(owner, name): one.choice(owner) for (owner, name), one in evidence.items()}
