"""Devices that are wrong in one way each, around one that is right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from lorafuota.errors import StateError
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fragmentation import v1, v2
from lorafuota.package import MalformedCommand, PackageVersionReq, UnknownCommand
from lorafuota.session.fragmentation import FragState
from lorafuota.testing.peers import Block, ReferenceDevice, Uplink
from lorafuota.types import DOWNLINK, UPLINK, AppKey, GenAppKey
from lorafuota.wire import Command

RootKey = GenAppKey | AppKey


class Broken:
    """A device that follows the documents; subclasses do not."""

    VERSION = 2

    def __init__(self, root_key: RootKey) -> None:
        self.inner = ReferenceDevice(root_key, profile=f"documents v{self.VERSION}")
        self.package = self.inner.device.fragmentation.profile.package

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        return self.inner.receive(fport, payload, now)

    def tick(self, now: float) -> Iterable[tuple[int, bytes]]:
        return self.inner.tick(now)

    def power_cycle(self) -> None:
        self.inner.power_cycle()

    def take_blocks(self) -> Iterable[tuple[int, bytes]]:
        return self.inner.take_blocks()

    def changed(
        self, uplinks: Iterable[Uplink], change: Callable[[Command], Command | None]
    ) -> list[Uplink]:
        """Uplinks with some answers changed, or left out."""
        found = []
        for fport, payload in uplinks:
            if fport != 201:
                found.append(Uplink(fport, payload))
                continue
            answers = [
                one for one in self.package.parse(payload, UPLINK) if isinstance(one, Command)
            ]
            kept = [one for one in map(change, answers) if one is not None]
            if kept:
                found.append(Uplink(fport, self.package.join(kept)))
        return found


class KeepsPadding(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        for one in self.package.parse(payload, DOWNLINK) if fport == 201 else []:
            if isinstance(one, v2.FragSessionSetupReq):
                self.padding = one.padding
        return super().receive(fport, payload, now)

    def take_blocks(self) -> Iterable[tuple[int, bytes]]:
        return [Block(index, data + bytes(self.padding)) for index, data in super().take_blocks()]


class Mute(Broken):
    """Executes a set-up and says nothing."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        return self.changed(
            self.inner.receive(fport, payload, now),
            lambda one: None if isinstance(one, v2.FragSessionSetupAns) else one,
        )


class AnswersFragments(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        answers = self.inner.receive(fport, payload, now)
        if fport == 201 and payload[:1] == b"\x08":
            answers.append(Uplink(201, b"\x03\x00"))
        return answers


class AnswersTheUnknown(Broken):
    """Says which version it has when it does not know a command."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        answers = self.inner.receive(fport, payload, now)
        parsed = self.package.parse(payload, DOWNLINK) if fport == 201 else []
        if parsed and isinstance(parsed[-1], UnknownCommand):
            answers.append(Uplink(201, self.package.version_ans().encode()))
        return answers


class FallsOverNoise(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        parsed = self.package.parse(payload, DOWNLINK) if fport == 201 else []
        if parsed and isinstance(parsed[-1], MalformedCommand):
            raise IndexError("read past the end")
        return super().receive(fport, payload, now)


class SendsReservedBits(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        answers = super().receive(fport, payload, now)
        return [
            (port, octets[:1] + bytes((octets[1] | 0x20,)) if octets[0] == 0x02 else octets)
            for port, octets in answers
        ]


class SaysNothingIsMissing(Broken):
    """Like a modem that reports completeness before the first fragment."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        def lie(one: Command) -> Command:
            if isinstance(one, v2.FragSessionStatusAns) and not one.session_does_not_exist:
                fields = {**{name: getattr(one, name) for name in one.KINDS}, "missing_frag": 0}
                return v2.FragSessionStatusAns(**fields)
            return one

        return self.changed(self.inner.receive(fport, payload, now), lie)


class AcceptsAnything(Broken):
    """Says yes to sessions of no fragments."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        def accept(one: Command) -> Command:
            if isinstance(one, v2.FragSessionSetupAns):
                return v2.FragSessionSetupAns(errors=v2.SetupError(0), frag_index=one.frag_index)
            return one

        return self.changed(self.inner.receive(fport, payload, now), accept)


class ForgetsTheCounter(Broken):
    """Loses SessionCnt when the power goes."""

    def power_cycle(self) -> None:
        for index in range(4):
            self.inner.saved.pop(f"session_cnt/{index}", None)
        super().power_cycle()


class TakesTheWrongIndex(Broken):
    """Answers about FragIndex 0, whatever was asked."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        def zero(one: Command) -> Command:
            if isinstance(one, v2.FragSessionSetupAns):
                return v2.FragSessionSetupAns(errors=one.errors, frag_index=0)
            return one

        return self.changed(self.inner.receive(fport, payload, now), zero)


class DeliversWhatIsNotComplete(Broken):
    """Takes the last plain fragment for the end."""

    def __init__(self, root_key: RootKey) -> None:
        super().__init__(root_key)
        self.early: list[Block] = []

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        answers = super().receive(fport, payload, now)
        sessions = self.inner.device.fragmentation
        for one in self.package.parse(payload, DOWNLINK) if fport == 201 else []:
            if not isinstance(one, v1.DataFragment):
                continue
            if sessions.state(one.frag_index) is FragState.RECEIVING:
                decoder = sessions.decoder(one.frag_index)
                if one.n == decoder.nb_frag and decoder.missing:
                    self.early.append(Block(one.frag_index, b"half of it"))
        return answers

    def take_blocks(self) -> Iterable[tuple[int, bytes]]:
        early, self.early = self.early, []
        return [*early, *super().take_blocks()]


class NeverDelivers(Broken):
    def take_blocks(self) -> Iterable[tuple[int, bytes]]:
        self.inner.take_blocks()
        return []


class AnswersTwice(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        return [one for one in super().receive(fport, payload, now) for _ in (0, 1)]


class TellsAnotherVersion(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        for one in self.package.parse(payload, DOWNLINK) if fport == 201 else []:
            if isinstance(one, PackageVersionReq):
                return [(201, b"\x00\x03\x01")]
        return super().receive(fport, payload, now)


class SkipsTheMic(Broken):
    """Delivers a block whose MIC does not fit."""

    def take_blocks(self) -> Iterable[tuple[int, bytes]]:
        failed, self.inner.failures = self.inner.failures, []
        return [*super().take_blocks(), *(Block(one.frag_index, b"anything") for one in failed)]


class TakesAnyLength(Broken):
    """Fills up, or cuts, a fragment that has another length than the session's."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        sessions = self.inner.device.fragmentation
        for one in self.package.parse(payload, DOWNLINK) if fport == 201 else []:
            takes = (FragState.READY, FragState.RECEIVING)
            if isinstance(one, v1.DataFragment) and sessions.state(one.frag_index) in takes:
                size = sessions.decoder(one.frag_index).frag_size
                fitted = (one.payload + bytes(size))[:size]
                payload = dataclasses.replace(one, payload=fitted).encode()
        return super().receive(fport, payload, now)


class ReadsOneCommand(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        parsed = self.package.parse(payload, DOWNLINK) if fport == 201 else []
        if parsed and isinstance(parsed[0], Command):
            payload = parsed[0].encode()
        return super().receive(fport, payload, now)


class AnswersEveryPort(Broken):
    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        answers = super().receive(fport, payload, now)
        return answers if fport == 201 else [(201, self.package.version_ans().encode())]


class KeepsWhatIsDeleted(Broken):
    """Says that a session is deleted, and keeps it."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        parsed = self.package.parse(payload, DOWNLINK) if fport == 201 else []
        match parsed:
            case [v1.FragSessionDeleteReq(frag_index=index)]:
                gone = self.inner.device.fragmentation.state(index) is None
                return [(201, bytes((0x03, index | gone << 2)))]
            case _:
                return super().receive(fport, payload, now)


class ReportsUnasked(Broken):
    """Reports each block, whether AckReception asked for that or not."""

    def __init__(self, root_key: RootKey) -> None:
        super().__init__(root_key)
        self.reports: list[tuple[int, bytes]] = []

    def take_blocks(self) -> Iterable[tuple[int, bytes]]:
        blocks = list(super().take_blocks())
        self.reports += [(201, bytes((0x04, index))) for index, _ in blocks]
        return blocks

    def tick(self, now: float) -> Iterable[tuple[int, bytes]]:
        reports, self.reports = self.reports, []
        return [*super().tick(now), *reports]


class CutsTheNumber(Broken):
    """Keeps N in an octet."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        if fport == 201 and len(payload) > 2 and payload[0] == 0x08:
            payload = payload[:2] + bytes((payload[2] & 0xC0,)) + payload[3:]
        return super().receive(fport, payload, now)


class Figures(Broken):
    """Tells other figures of a session than it should."""

    def told(self, answer: v2.FragSessionStatusAns, decoder: FragDecoder) -> dict[str, int]:
        raise NotImplementedError

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        def change(one: Command) -> Command:
            if not isinstance(one, v2.FragSessionStatusAns) or one.frag_index is None:
                return one
            try:
                decoder = self.inner.device.fragmentation.decoder(one.frag_index)
            except StateError:  # a session that ended before a reset
                return one
            fields: dict[str, Any] = self.told(one, decoder)
            return dataclasses.replace(one, **fields)

        return self.changed(self.inner.receive(fport, payload, now), change)


class CutsWhatIsMissing(Figures):
    """Keeps MissingFrag in an octet: 300 become 44."""

    def told(self, answer: v2.FragSessionStatusAns, decoder: FragDecoder) -> dict[str, int]:
        return {"missing_frag": 0 if decoder.complete else decoder.missing & 0xFF}


class CountsFragmentsOfOtherSessions(Figures):
    """Has one counter for all sessions, and never begins anew."""

    def __init__(self, root_key: RootKey) -> None:
        super().__init__(root_key)
        self.count = 0

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        self.count += fport == 201 and payload[:1] == b"\x08"
        return super().receive(fport, payload, now)

    def told(self, answer: v2.FragSessionStatusAns, decoder: FragDecoder) -> dict[str, int]:
        return {"nb_frag_received": min(self.count, 16_383)}


class CountsOneTooMany(Figures):
    def told(self, answer: v2.FragSessionStatusAns, decoder: FragDecoder) -> dict[str, int]:
        return {"nb_frag_received": (answer.nb_frag_received or 0) + 1}


class DoesNotCountRepeats(Figures):
    def told(self, answer: v2.FragSessionStatusAns, decoder: FragDecoder) -> dict[str, int]:
        return {"nb_frag_received": (answer.nb_frag_received or 0) - decoder.repeats}


class IgnoresASetUpOfTheSameSize(Broken):
    """Takes a new set-up with NbFrag, FragSize and Padding of the old one for a repeat."""

    def __init__(self, root_key: RootKey) -> None:
        super().__init__(root_key)
        self.last: dict[int, v2.FragSessionSetupReq] = {}

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        parsed = self.package.parse(payload, DOWNLINK) if fport == 201 else []
        match parsed:
            case [v2.FragSessionSetupReq() as req]:
                old = self.last.get(req.frag_index)
                if old is not None and req.session_cnt > old.session_cnt and same_size(req, old):
                    self.last[req.frag_index] = req
                    return [(201, bytes((0x02, req.frag_index << 6)))]
                answers = self.inner.receive(fport, payload, now)
                if self.inner.device.fragmentation.state(req.frag_index) is FragState.READY:
                    self.last[req.frag_index] = req
                return answers
            case [v1.FragSessionDeleteReq(frag_index=index)]:
                self.last.pop(index, None)
            case _:
                pass
        return super().receive(fport, payload, now)


def same_size(one: v2.FragSessionSetupReq, other: v2.FragSessionSetupReq) -> bool:
    names = ("nb_frag", "frag_size", "padding")
    return all(getattr(one, name) == getattr(other, name) for name in names)


BROKEN: dict[type[Broken], str] = {
    KeepsPadding: "a block of [0-9]+ octets that is not the one that was sent",
    Mute: "no answer to FragSessionSetupReq within 10 s",
    AnswersFragments: "nobody asked for FragSessionDeleteAns",
    AnswersTheUnknown: "nobody asked for PackageVersionAns",
    FallsOverNoise: "read past the end",
    SendsReservedBits: "a reserved bit is set",
    SaysNothingIsMissing: "missing_frag=0.* fragments are missing",
    AcceptsAnything: "must be set|such a session must be refused",
    ForgetsTheCounter: "SESSION_CNT_REPLAY must be set",
    TakesTheWrongIndex: "nobody asked for FragSessionSetupAns",
    DeliversWhatIsNotComplete: "a block, but [0-9]+ fragments are missing",
    NeverDelivers: "is complete, and there is no block",
    AnswersTwice: "nobody asked for",
    TellsAnotherVersion: "the device has PackageVersionAns",
    SkipsTheMic: "a block of 8 octets that is not the one that was sent",
    TakesAnyLength: "there is no block|the MIC of what arrived is right|fragments are missing|"
    "nothing is wrong with the set-up",  # it holds the counter used, by a fragment that is none
    ReadsOneCommand: "no answer to (PackageVersionReq|FragSessionStatusReq) within 10 s",
    AnswersEveryPort: "nobody asked for PackageVersionAns",
    KeepsWhatIsDeleted: "there is no such session",
    ReportsUnasked: "nobody asked for FragDataBlockReceivedReq",
}
"""What a machine says of each."""

COMMON: dict[type[Broken], str] = {
    CutsTheNumber: "there is no block|fragments are missing|MIC of what arrived is right|had come",
    CutsWhatIsMissing: "fragments are missing",
    CountsFragmentsOfOtherSessions: "[0-9]+ fragments came",
    CountsOneTooMany: "[0-9]+ fragments came",
    DoesNotCountRepeats: "[0-9]+ fragments had come",
    IgnoresASetUpOfTheSameSize: "there is no block|fragments are missing|MIC of what arrived|"
    "not the one that was sent|fragments came|SESSION_CNT_REPLAY must be set",
}
"""Faults that as many examples as Hypothesis usually tries find, and what a machine says."""
