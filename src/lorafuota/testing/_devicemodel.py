"""What a device may say and deliver, after all that reached it (TS004).

The model knows what was delivered to the device, not what was sent.  Where the document leaves a
choice, or a power cycle may have cost something, it knows a least and a most, and accepts what lies
between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..datablock import MAX_NB_FRAG, DataBlock
from ..fec.decoder import FragDecoder
from ..fragmentation import v1, v2
from ..package import MAX_PAYLOAD, PackageVersionAns, PackageVersionReq, Parsed
from ..session.fragmentation import SetupReq
from ..session.profile import FragProfile
from ..types import DOWNLINK, UPLINK
from ..wire import Command
from ._violation import Violation

__all__ = ["DeviceModel"]


@dataclasses.dataclass(slots=True, eq=False)
class _Expected:
    """An answer somebody waits for."""

    kind: type[Command]
    frag_index: int | None
    due: float
    """After this it is late, or not asked for any more."""
    needed: bool
    wrong: Callable[[Command], str | None]
    """What is wrong with an answer, or None."""
    of: str


@dataclasses.dataclass(slots=True, eq=False)
class _Held:
    """What the device holds of one session."""

    setup: SetupReq
    block: DataBlock | None
    most: FragDecoder
    least: FragDecoder
    received_most: int = 0
    """Fragments that came, of whatever length and behind the end: nothing forbids to count them."""
    received_least: int = 0
    """Fragments that every device counts."""
    seen: set[int] = dataclasses.field(default_factory=set)
    """Their numbers: only version 2 says that repeats count."""
    sure: bool = True
    """Whether the device must still know the session."""
    tainted: bool = False
    """Whether a forged fragment reached it."""
    delivered: bool = False
    due: float | None = None

    @property
    def full(self) -> bool:
        return self.most.missing == 0


class DeviceModel:
    """Judges one device."""

    def __init__(self, profile: FragProfile, *, answer_seconds: float) -> None:
        self.profile, self.package = profile, profile.package
        self.fport = profile.package.fport
        self._seconds = answer_seconds
        self._expected: list[_Expected] = []
        self._held: dict[int, _Held] = {}
        self._due, self._needed = 0.0, True
        self._used: dict[int, int] = {}
        self._perhaps_used: dict[int, int] = {}
        self.blocks: dict[SetupReq, DataBlock] = {}
        """What each set-up of ours is about."""

    def setup(self, frag_index: int) -> SetupReq | None:
        """The session the device has, or may have."""
        held = self._held.get(frag_index)
        return held.setup if held else None

    def used(self, frag_index: int) -> int | None:
        """The last SessionCnt the device must not accept again."""
        return self._used.get(frag_index)

    # What reaches the device

    def deliver(self, fport: int, payload: bytes, now: float, *, forged: bool = False) -> None:
        """Note a payload just before the device gets it."""
        if fport != self.fport:
            return
        parsed = self.package.parse(payload, DOWNLINK)
        self._due = now + self._seconds
        self._needed = all(isinstance(one, Command) for one in parsed)
        for one in parsed:
            self._note(one, now, forged)

    def _note(self, one: Parsed, now: float, forged: bool) -> None:
        match one:
            case PackageVersionReq():
                self._expect(PackageVersionAns, None, self._wrong_version, one)
            case v1.FragSessionStatusReq():
                self._status(one)
            case v1.FragSessionSetupReq() | v2.FragSessionSetupReq():
                self._set_up(one)
            case v1.FragSessionDeleteReq():
                self._delete(one)
            case v1.DataFragment():
                self._fragment(one, now, forged)
            case _:
                pass

    def power_cycled(self) -> None:
        """Note that everything may be lost that need not be stored."""
        self._expected.clear()
        for held in self._held.values():
            held.sure, held.due = False, None
            self._forget_progress(held)

    def _expect(
        self,
        kind: type[Command],
        frag_index: int | None,
        wrong: Callable[[Command], str | None],
        of: Command,
        *,
        later: float = 0.0,
        silent: bool = False,
    ) -> None:
        """Expect an answer, perhaps some seconds later than others, perhaps none."""
        needed, name = self._needed and not silent, type(of).__name__
        self._expected.append(_Expected(kind, frag_index, self._due + later, needed, wrong, name))

    def _wrong_version(self, answer: Command) -> str | None:
        right = self.package.version_ans()
        return None if answer == right else f"the device has {right}"

    def _status(self, req: v1.FragSessionStatusReq) -> None:
        held = self._held.get(req.frag_index)
        at_request = None if held is None else held.least.missing
        counted = 0 if held is None else held.received_least
        kind = v2.FragSessionStatusAns if self.profile.has_mic else v1.FragSessionStatusAns
        sure = held is not None and held.sure and not held.tainted
        silent = not sure or (held is not None and held.full and not req.participants)
        later = 0.0 if held is None else 2.0 ** (held.setup.block_ack_delay + 4)

        def wrong(answer: Command) -> str | None:
            assert isinstance(answer, v1.FragSessionStatusAns | v2.FragSessionStatusAns)
            if isinstance(answer, v2.FragSessionStatusAns):
                if answer.session_does_not_exist:
                    still = self._held.get(req.frag_index) is held
                    return "there is such a session" if sure and still else None
                if answer.mic_error and held is not None and not held.tainted:
                    return "the MIC of what arrived is right"
            if held is None:
                return "there is no such session"
            missing = answer.missing_frag or 0
            least = min(held.most.missing, 255)
            received = answer.nb_frag_received or 0
            if held.block is not None and received > held.received_most:
                return f"{held.received_most} fragments came"
            if held.tainted:
                return None if missing or not least else "fragments are missing"
            if sure and received < min(counted, MAX_NB_FRAG):
                return f"{counted} fragments had come"
            assert at_request is not None
            if least <= missing <= min(at_request, 255) or (not sure and missing >= least):
                return None
            return f"{least}..{at_request} fragments are missing"

        self._expect(kind, req.frag_index, wrong, req, later=later, silent=silent)

    def _set_up(self, req: SetupReq) -> None:
        kind = v2.FragSessionSetupAns if self.profile.has_mic else v1.FragSessionSetupAns
        must, may = v2.SetupError(0), v2.SetupError(0)
        absurd = not 1 <= req.nb_frag <= MAX_NB_FRAG or req.padding >= req.frag_size
        if req.frag_algo:
            must |= v2.SetupError.FRAG_ALGO_UNSUPPORTED
        if isinstance(req, v2.FragSessionSetupReq):
            if req.session_cnt <= self._used.get(req.frag_index, -1):
                must |= v2.SetupError.SESSION_CNT_REPLAY
            elif req.session_cnt <= self._perhaps_used.get(req.frag_index, -1):
                may |= v2.SetupError.SESSION_CNT_REPLAY
        foreign = req not in self.blocks

        def wrong(answer: Command) -> str | None:
            errors = int(answer.errors)  # type: ignore[attr-defined]
            if must & ~errors:
                return f"{_names(must)} must be set"
            if absurd and not errors:
                return "such a session must be refused"
            if not (must or absurd or foreign) and errors & ~may:
                return "nothing is wrong with the set-up"
            return None

        self._expect(kind, req.frag_index, wrong, req)
        if must or absurd:
            return
        old = self._held.get(req.frag_index)
        if old is not None and old.setup == req:
            self._forget_progress(old)  # it may be kept, or not
            old.due = None
            old.sure = not may
            return
        if may and old is not None:
            return  # refused or not: only what both have in common is known
        fresh = _Held(req, self.blocks.get(req), self._decoder(req), self._decoder(req))
        fresh.sure = not (may or foreign)
        self._held[req.frag_index] = fresh

    def _forget_progress(self, held: _Held) -> None:
        """Be content with a device that has lost what it had, and with one that has not."""
        held.least = self._decoder(held.setup)
        held.received_least = 0
        held.seen.clear()

    def _decoder(self, req: SetupReq) -> FragDecoder:
        return FragDecoder(nb_frag=req.nb_frag, frag_size=1, variant=self.profile.parity)

    def _delete(self, req: v1.FragSessionDeleteReq) -> None:
        held = self._held.pop(req.frag_index, None)

        def wrong(answer: Command) -> str | None:
            gone = bool(answer.session_does_not_exist)  # type: ignore[attr-defined]
            if held is None and not gone:
                return "there is no such session"
            if held is not None and held.sure and not held.full and gone:
                return "there is such a session"
            return None

        self._expect(v1.FragSessionDeleteAns, req.frag_index, wrong, req)

    def _fragment(self, one: v1.DataFragment, now: float, forged: bool) -> None:
        held = self._held.get(one.frag_index)
        if held is None:
            return
        held.received_most += 1
        if len(one.payload) != held.setup.frag_size:
            return
        if not forged and not held.full and (self.profile.has_mic or one.n not in held.seen):
            held.received_least += 1
            held.seen.add(one.n)
        held.most.feed(one.n, b"\0")
        if forged:
            held.tainted, held.due = True, None
        else:
            held.least.feed(one.n, b"\0")
        if isinstance(held.setup, v2.FragSessionSetupReq):
            count = held.setup.session_cnt
            if held.sure:
                self._used[one.frag_index] = count
            highest = max(count, self._perhaps_used.get(one.frag_index, -1))
            self._perhaps_used[one.frag_index] = highest
        complete = held.least.missing == 0 and held.sure and not held.tainted
        if complete and not held.delivered and held.due is None and held.block is not None:
            held.due = now + self._seconds

    # What the device does

    def uplink(self, fport: int, payload: bytes, now: float) -> None:
        """Judge one uplink."""
        if not 1 <= fport <= 225 or not 1 <= len(payload) <= MAX_PAYLOAD:
            raise Violation(f"no uplink has port {fport} and {len(payload)} octets")
        if fport != self.fport:
            return
        try:
            answers = self.package.parse(payload, UPLINK, strict=True)
        except ValueError as error:
            raise Violation(f"an uplink that cannot be read: {payload.hex()}: {error}") from error
        for answer in answers:
            assert isinstance(answer, Command)
            self._judge(answer)

    def _judge(self, answer: Command) -> None:
        if isinstance(answer, v2.FragDataBlockReceivedReq):
            self._judge_report(answer)
            return
        index = getattr(answer, "frag_index", None)
        same = [
            one
            for one in self._expected
            if type(answer) is one.kind and (index is None or index == one.frag_index)
        ]
        same.sort(key=lambda one: not one.needed)  # what need not be answered comes last
        if not same:
            raise Violation(f"nobody asked for {answer}")
        reasons = [one.wrong(answer) for one in same]
        if None not in reasons:
            raise Violation(f"{answer} answers {same[0].of}, but {reasons[0]}")
        self._expected.remove(same[reasons.index(None)])

    def _judge_report(self, report: v2.FragDataBlockReceivedReq) -> None:
        held = self._held.get(report.frag_index)
        if held is None:
            return  # of a session that was deleted or replaced meanwhile
        asked = isinstance(held.setup, v2.FragSessionSetupReq) and held.setup.ack_reception
        if not asked:
            raise Violation(f"nobody asked for {report}")
        if not held.full:
            raise Violation(f"{report}, but {held.most.missing} fragments are missing")
        if report.mic_error and not held.tainted:
            raise Violation(f"{report}, but the MIC of what arrived is right")

    def block(self, frag_index: int, data: bytes) -> None:
        """Judge a block the device says it has rebuilt."""
        held = self._held.get(frag_index)
        if held is None:
            raise Violation(f"a block of FragIndex {frag_index}, which has no session")
        if not held.full:
            raise Violation(f"a block, but {held.most.missing} fragments are missing")
        if held.block is None or data != held.block.image:
            raise Violation(f"a block of {len(data)} octets that is not the one that was sent")
        held.delivered, held.due = True, None

    def late(self, now: float) -> None:
        """See that nothing is overdue."""
        for one in self._expected:
            if one.needed and one.due < now:
                raise Violation(f"no answer to {one.of} within {self._seconds:g} s")
        self._expected = [one for one in self._expected if one.due >= now]
        for index, held in self._held.items():
            if held.due is not None and held.due < now:
                raise Violation(f"FragIndex {index} is complete, and there is no block")


def _names(errors: v2.SetupError) -> str:
    return " and ".join(str(bit.name) for bit in v2.SetupError if bit & errors)
