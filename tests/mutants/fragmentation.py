"""Mutants of fragmentation (TS004)."""

from __future__ import annotations

import dataclasses
import math
import random
from typing import Any

from lorafuota.conformance.own import OwnDevice
from lorafuota.datablock import MAX_NB_FRAG, DataBlock
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v1, v2
from lorafuota.session import fragmentation as session
from lorafuota.session import fragsession
from lorafuota.session.actions import Answer, BlockReceived, DropReason
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fraglimits import FragLimits
from lorafuota.session.fragmentation import FragDevice, FragState
from lorafuota.session.profile import Count, Missing, Order

from .mutant import ROOMY, SMALL, TINY, V1, Mutant, around, attribute, changed, flags


def _setup_with(field: str, wrong: int, right: int) -> Any:
    """A set-up with a wrong value is taken for one with another."""

    def setup(real: Any, self: FragDevice, req: Any) -> Any:
        if getattr(req, field) == wrong:
            req = dataclasses.replace(req, **{field: right}, padding=0)
        return real(self, req)

    return lambda: around(FragDevice, "_setup", setup)


def _refusal_without(bit: v2.SetupError) -> Any:
    return lambda: around(
        FragLimits, "refusal", lambda real, self, req: real(self, req) & ~int(bit)
    )


def _swapped_bits(real: Any, self: FragLimits, req: Any) -> v2.SetupError:
    errors = int(real(self, req))
    return v2.SetupError(errors & ~3 | (errors & 1) << 1 | (errors & 2) >> 1)


def _n_zero(real: Any, self: FuotaDevice, fport: int, payload: Any, **options: Any) -> Any:
    payload = bytes(payload)
    if payload[:1] == b"\x08" and payload[1:2] == b"\0" and len(payload) > 2:
        payload = payload[:1] + bytes((1, payload[2])) + payload[3:]
    return real(self, fport, payload, **options)


def _answer_index_0(real: Any, self: FragDevice, req: Any) -> Any:
    return [
        Answer(changed(one.command, frag_index=0)) if isinstance(one, Answer) else one
        for one in real(self, req)
    ]


def _repeat_unanswered(real: Any, self: FragDevice, req: Any) -> Any:
    session = self._sessions.get(req.frag_index)
    return [] if session is not None and session.setup == req else real(self, req)


def _of_the_same_size(self: FragDevice, req: Any) -> Any:
    """Return the set-up that this one would replace, if it has the same sizes."""
    session = self._sessions.get(req.frag_index)
    if session is None or self._setup_errors(req):
        return None
    old = session.setup
    same = (old.nb_frag, old.frag_size) == (req.nb_frag, req.frag_size)
    return old if same and old != req else None


def _same_size_ignored(real: Any, self: FragDevice, req: Any) -> Any:
    if _of_the_same_size(self, req) is None:
        return real(self, req)
    kept = self._sessions[req.frag_index]
    actions = [one for one in real(self, req) if isinstance(one, Answer)]
    self._sessions[req.frag_index] = kept
    return actions


def _same_size_keeps(*fields: str) -> Any:
    """Another set-up of the same sizes keeps some fields of the first."""

    def setup(real: Any, self: FragDevice, req: Any) -> Any:
        old = _of_the_same_size(self, req)
        return real(
            self, req if old is None else changed(req, **{f: getattr(old, f) for f in fields})
        )

    return lambda: around(FragDevice, "_setup", setup)


def _same_size_keeps_decoder(real: Any, self: FragDevice, req: Any) -> Any:
    kept = self._sessions[req.frag_index].decoder if _of_the_same_size(self, req) else None
    actions = real(self, req)
    if kept is not None:
        self._sessions[req.frag_index].decoder = kept
    return actions


def _cnt_at_setup(real: Any, self: FragDevice, req: Any) -> Any:
    actions = real(self, req)
    if any(isinstance(one, Answer) and not one.command.errors for one in actions):  # type: ignore[attr-defined]
        self.session_cnt_prev[req.frag_index] = req.session_cnt
    return actions


def _cnt_at_end(real: Any, self: FragDevice, one: Any) -> Any:
    one.state = FragState.RECEIVING
    return []


def _delete_clears_cnt(real: Any, self: FragDevice, index: int) -> Any:
    self.session_cnt_prev.pop(index, None)
    return real(self, index)


def _old_decoder(real: Any, self: FragDevice, req: Any) -> Any:
    """A decoder of the same size is used again, fragments and all."""
    kept: dict[Any, Any] = self.__dict__.setdefault("_kept", {})
    key = (req.frag_index, req.nb_frag, req.frag_size)
    if key not in kept:
        kept[key] = real(self, req)
    return kept[key]


def _any_length(real: Any, self: FragDevice, index: int, n: int, payload: bytes, *rest: Any) -> Any:
    one = self._sessions.get(index)
    if one is not None:
        payload = payload.ljust(one.setup.frag_size, b"\xaa")[: one.setup.frag_size]
    return real(self, index, n, payload, *rest)


def _again(real: Any, self: FragDevice, index: int, *rest: Any) -> Any:
    one = self._sessions.get(index)
    if one is None or one.state is not FragState.DONE or one.decoder is None:
        return real(self, index, *rest)
    data = one.decoder.block_despite_disagreement()
    return [BlockReceived(index, one.setup.descriptor, data, False, one.decoder.check())]


def _mask_for_unicast(
    real: Any, self: FragDevice, one: Any, n: int, payload: bytes, mc_group_id: int | None
) -> Any:
    group = 0 if mc_group_id is None else mc_group_id
    return real(self, one, n, payload, group)


def _padding_kept(real: Any, self: FragDevice, *rest: Any) -> Any:
    block = real(self, *rest)
    if isinstance(block, BlockReceived):
        padding = self._sessions[block.frag_index].setup.padding
        return dataclasses.replace(block, data=block.data + bytes(padding))
    return block


def _zero_descriptor(image: bytes, frag_size: int, descriptor: bytes) -> DataBlock:
    return DataBlock(image, frag_size, bytes(4))


def _with_padding(
    real: Any, self: FragDevice, one: Any, setup: Any, image: bytes, *rest: Any
) -> Any:
    return real(self, one, setup, image + bytes(setup.padding), *rest)


def _status_always(real: Any, self: FragDevice, req: Any, multicast: bool) -> Any:
    return real(self, dataclasses.replace(req, participants=True), multicast)


def _status_never(real: Any, self: FragDevice, req: Any, multicast: bool) -> Any:
    return real(self, dataclasses.replace(req, participants=False), multicast)


def _no_mic_error(real: Any, profile: Any, index: int, figures: Any, mic_error: bool) -> Any:
    return real(profile, index, figures, False)


def _index_0_told(real: Any, profile: Any, index: int, figures: Any, mic_error: bool) -> Any:
    return real(profile, 0, figures, mic_error)


def _delay(new: Any) -> Any:
    """The delay is something else: of the window, and of what was drawn."""

    def delay(real: Any, self: FragDevice, setup: Any) -> float:
        return float(new(float(1 << setup.block_ack_delay + 4), real(self, setup)))

    return lambda: around(FragDevice, "_delay", delay)


def _report_always(real: Any, self: FragDevice, *rest: Any) -> Any:
    block = real(self, *rest)
    one = rest[0]
    one.reports_left, one.next_report = 3, rest[2] + 5.0
    return block


def _report_never(real: Any, self: FragDevice, *rest: Any) -> Any:
    block = real(self, *rest)
    rest[0].reports_left, rest[0].next_report = 0, None
    return block


def _executing(ignored: type[Any]) -> Any:
    def execute(real: Any, self: FragDevice, command: Any, *rest: Any) -> Any:
        return [] if isinstance(command, ignored) else real(self, command, *rest)

    return lambda: around(FragDevice, "_execute", execute)


def _any_index_acknowledges(real: Any, self: FragDevice, command: Any, *rest: Any) -> Any:
    if isinstance(command, v2.FragDataBlockReceivedAns):
        return [
            one
            for index in range(4)
            for one in real(self, v2.FragDataBlockReceivedAns(frag_index=index), *rest)
        ]
    return real(self, command, *rest)


def _reported_at_once(real: Any, self: FragDevice, state: Any, index: int, now: float) -> None:
    real(self, state, index, now)
    one = self._sessions[index]
    if one.next_report is not None:
        one.next_report = now


def _rebooted_without_reports(real: Any, self: OwnDevice, *rest: Any) -> None:
    real(self, *rest)
    for name in [name for name in self.flash if name.startswith("report/")]:
        del self.flash[name]


def _same_start(real: Any, self: OwnDevice, request: Any, rng: random.Random) -> Any:
    return real(self, request, random.Random(1))


def _report_without_error(real: Any, self: FragDevice, *rest: Any) -> Any:
    return [
        Answer(changed(one.command, mic_error=False)) if isinstance(one, Answer) else one
        for one in real(self, *rest)
    ]


def _always_there(real: Any, self: FragDevice, index: int) -> Any:
    answer = v1.FragSessionDeleteAns(frag_index=index, session_does_not_exist=False)
    return [one for one in real(self, index) if not isinstance(one, Answer)] + [Answer(answer)]


def _delete_all(real: Any, self: FragDevice, index: int) -> Any:
    actions = real(self, index)
    for other in list(self._sessions):
        self._forget(other)
    return actions


def _delete_nothing(real: Any, self: FragDevice, index: int) -> Any:
    kept = dict(self._sessions)
    actions = [one for one in real(self, index) if isinstance(one, Answer)]
    self._sessions.update(kept)
    return actions


def _one_session(real: Any, self: FragDevice, index: int, *rest: Any) -> Any:
    return real(self, min(self._sessions, default=index), *rest)


def _count_not_rank(self: FragDecoder) -> bool:
    return self.nb_frag_received >= self.nb_frag


def _shifted_rows(real: Any, self: FragDecoder, n: int, payload: Any) -> Any:
    """Rows whose seed has more than 23 bits are drawn wrong."""
    return real(self, n - 1 if n - self.nb_frag > 8_383 else n, payload)


def _sessions_forgotten(real: Any, self: FragDevice, state: Any, **options: Any) -> Any:
    return real(self, {k: v for k, v in state.items() if not k.startswith("setup")}, **options)


def _last_first(real: Any, self: FragDevice, index: int, n: int, *rest: Any) -> Any:
    one = self._sessions.get(index)
    if one is not None and n == one.setup.nb_frag:
        return []
    return real(self, index, n, *rest)


def _report_early(real: Any, self: FragDevice, one: Any) -> Any:
    report = v2.FragDataBlockReceivedReq(frag_index=one.setup.frag_index, mic_error=False)
    return [*real(self, one), Answer(report)]


def _report_inherited(real: Any, self: FragDevice, req: Any) -> Any:
    old = self._sessions.get(req.frag_index)
    left, due = (old.reports_left, old.next_report) if old is not None else (0, None)
    actions = real(self, req)
    new = self._sessions.get(req.frag_index)
    if new is not None and new is not old:
        new.reports_left, new.next_report = left, due
    return actions


def _group_feeds_index_0(
    real: Any, self: FragDevice, one: Any, n: int, payload: bytes, mc_group_id: int | None
) -> Any:
    if mc_group_id is not None and one is not None and one.setup.frag_index:
        return DropReason.NOT_IN_MASK
    return real(self, one, n, payload, mc_group_id)


def _delete_uses_cnt(real: Any, self: FragDevice, index: int) -> Any:
    one = self._sessions.get(index)
    if one is not None and isinstance(one.setup, v2.FragSessionSetupReq):
        self.session_cnt_prev[index] = one.setup.session_cnt
    return real(self, index)


def _without_most(real: Any, self: FragLimits, req: Any) -> v2.SetupError:
    most = v2.SetupError.NOT_ENOUGH_MEMORY if req.nb_frag >= MAX_NB_FRAG else v2.SetupError(0)
    return v2.SetupError(real(self, req) | most)


def _short_table(real: Any, self: FragDevice, index: int, n: int, *rest: Any) -> Any:
    one = self._sessions.get(index)
    return [] if one is not None and 4096 < n <= one.setup.nb_frag else real(self, index, n, *rest)


def _place_in_16_bits(real: Any, self: FragDevice, *rest: Any) -> Any:
    block = real(self, *rest)
    if not isinstance(block, BlockReceived):
        return block
    return dataclasses.replace(block, data=(block.data[:65_536] * 64)[: len(block.data)])


_CNT = "ts004-v2/cnt-"

MUTANTS = [
    # set-ups
    Mutant(
        "n-zero",
        "N = 0 is taken for N = 1.",
        "ts004-v2/n-zero",
        lambda: around(FuotaDevice, "receive", _n_zero),
    ),
    Mutant(
        "nb-frag-zero",
        "NbFrag 0 is taken for 1.",
        "ts004-v2/setup-nb-frag-zero",
        _setup_with("nb_frag", 0, 1),
    ),
    Mutant(
        "frag-size-zero",
        "FragSize 0 is taken for 1.",
        "ts004-v2/setup-frag-size-zero",
        _setup_with("frag_size", 0, 1),
    ),
    Mutant(
        "nb-frag-14-bits",
        "NbFrag is cut to the 14 bits of N.",
        "ts004-v2/setup-nb-frag-16384",
        lambda: around(
            FragDevice,
            "_setup",
            lambda real, self, req: real(
                self, dataclasses.replace(req, nb_frag=req.nb_frag & 0x3FFF)
            ),
        ),
    ),
    Mutant(
        "padding-unchecked",
        "Any Padding is taken, as far as the fragment goes.",
        "ts004-v2/setup-padding-too-large",
        lambda: around(
            FragLimits,
            "refusal",
            lambda real, self, req: real(self, dataclasses.replace(req, padding=0)),
        ),
    ),
    Mutant(
        "algo-unchecked",
        "Any FragAlgo is taken.",
        "ts004-v2/setup-algo-1",
        _refusal_without(v2.SetupError.FRAG_ALGO_UNSUPPORTED),
    ),
    Mutant(
        "algo-one-bit",
        "Only the lowest bit of FragAlgo is looked at.",
        "ts004-v2/setup-algo-6",
        lambda: around(
            FragLimits,
            "refusal",
            lambda real, self, req: real(
                self, dataclasses.replace(req, frag_algo=req.frag_algo & 1)
            ),
        ),
    ),
    Mutant(
        "wrong-bit",
        "The bits of FragAlgo and memory are swapped.",
        "ts004-v2/setup-algo-2",
        lambda: around(FragLimits, "refusal", _swapped_bits),
    ),
    Mutant(
        "index-unchecked",
        "A FragIndex without a session is taken.",
        "ts004-v2/index-2-not-supported",
        _refusal_without(v2.SetupError.FRAG_INDEX_UNSUPPORTED),
        SMALL,
    ),
    Mutant(
        "memory-unchecked",
        "A block larger than the memory is taken.",
        "ts004-v2/setup-too-large",
        _refusal_without(v2.SetupError.NOT_ENOUGH_MEMORY),
        SMALL,
    ),
    Mutant(
        "most-refused",
        "NbFrag 16383 is one too many.",
        "ts004-v2/setup-largest",
        lambda: around(FragLimits, "refusal", _without_most),
        ROOMY,
    ),
    Mutant(
        "short-table",
        "Plain fragments above 4096 are dropped.",
        "ts004-v2/largest-arrives",
        lambda: around(FragDevice, "_fragment", _short_table),
    ),
    Mutant(
        "place-in-16-bits",
        "The place of an octet in the block has 16 bits.",
        "ts004-v1/largest-arrives",
        lambda: around(FragDevice, "_finish", _place_in_16_bits),
        V1,
    ),
    Mutant(
        "descriptor-unchecked",
        "A Descriptor of somebody else is taken.",
        "ts004-v2/setup-descriptor",
        _refusal_without(v2.SetupError.WRONG_DESCRIPTOR),
        SMALL,
    ),
    Mutant(
        "answer-index-0",
        "The answer to a set-up names FragIndex 0 always.",
        "ts004-v2/setup-index-3",
        lambda: around(FragDevice, "_setup", _answer_index_0),
    ),
    Mutant(
        "repeat-unanswered",
        "The same set-up again gets no answer.",
        "ts004-v2/setup-repeat",
        lambda: around(FragDevice, "_setup", _repeat_unanswered),
    ),
    Mutant(
        "refusal-destroys",
        "A refused set-up destroys the session.",
        "ts004-v2/refused-keeps-session",
        lambda: flags(fragmentation={"refusal_destroys": True}),
    ),
    Mutant(
        "old-decoder",
        "A new session of the same size goes on with the old fragments.",
        "ts004-v2/setup-after-delete",
        lambda: around(FragDevice, "_new_decoder", _old_decoder),
    ),
    Mutant(
        "same-size-ignored",
        "Another set-up of the same sizes is answered, and the old session goes on.",
        "ts004-v2/setup-other-content-middle",
        lambda: around(FragDevice, "_setup", _same_size_ignored),
    ),
    Mutant(
        "same-size-ignored-fresh",
        "Another set-up of the same sizes is answered, and the old session goes on.",
        "ts004-v2/setup-other-content-fresh",
        lambda: around(FragDevice, "_setup", _same_size_ignored),
    ),
    Mutant(
        "same-size-ignored-complete",
        "Another set-up of the same sizes is answered, and the old session goes on.",
        "ts004-v2/setup-other-content-complete",
        lambda: around(FragDevice, "_setup", _same_size_ignored),
    ),
    Mutant(
        "same-size-ignored",
        "Another set-up of the same sizes is answered, and the old session goes on.",
        "ts004-v1/setup-other-descriptor-middle",
        lambda: around(FragDevice, "_setup", _same_size_ignored),
        V1,
    ),
    Mutant(
        "same-size-ignored-complete",
        "Another set-up of the same sizes is answered, and the old session goes on.",
        "ts004-v1/setup-other-descriptor-complete",
        lambda: around(FragDevice, "_setup", _same_size_ignored),
        V1,
    ),
    Mutant(
        "same-size-padding",
        "Another set-up of the same sizes keeps the old Padding.",
        "ts004-v1/setup-other-padding-fresh",
        _same_size_keeps("padding"),
        V1,
    ),
    Mutant(
        "same-size-padding",
        "Another set-up of the same sizes keeps the old Padding.",
        "ts004-v2/setup-other-padding-complete",
        _same_size_keeps("padding"),
    ),
    Mutant(
        "same-size-mask-0",
        "Another set-up of the same sizes keeps the old McGroupBitMask.",
        "ts004-v2/setup-other-mask-opened-middle",
        _same_size_keeps("mc_group_bit_mask"),
    ),
    Mutant(
        "same-size-mask-1",
        "Another set-up of the same sizes keeps the old McGroupBitMask.",
        "ts004-v1/setup-other-mask-closed-fresh",
        _same_size_keeps("mc_group_bit_mask"),
        V1,
    ),
    Mutant(
        "same-size-descriptor",
        "Another set-up of the same sizes keeps the old Descriptor.",
        "ts004-v2/setup-other-descriptor-fresh",
        _same_size_keeps("descriptor"),
    ),
    Mutant(
        "same-size-mic",
        "Another set-up of the same sizes keeps the old MIC.",
        "ts004-v2/setup-other-content-fresh",
        _same_size_keeps("mic"),
    ),
    Mutant(
        "same-size-decoder",
        "Another set-up of the same sizes keeps the fragments of the first.",
        "ts004-v1/setup-other-padding-middle",
        lambda: around(FragDevice, "_setup", _same_size_keeps_decoder),
        V1,
    ),
    Mutant(
        "one-decoder",
        "There is one decoder for all sessions.",
        "ts004-v2/two-sessions-at-once",
        lambda: flags(fragmentation={"one_decoder": True}),
    ),
    # the session counter
    Mutant(
        "cnt-equal",
        "The last SessionCnt is accepted once more.",
        _CNT + "lower",
        lambda: around(
            FragDevice,
            "_replayed",
            lambda real, self, req: req.session_cnt < self.session_cnt_prev.get(req.frag_index, -1),
        ),
    ),
    Mutant(
        "cnt-unchecked",
        "SessionCnt is not looked at.",
        _CNT + "lower",
        lambda: around(FragDevice, "_replayed", lambda *args: False),
    ),
    Mutant(
        "cnt-zero",
        "SessionCnt 0 is a replay on a fresh device.",
        _CNT + "zero",
        lambda: around(
            FragDevice,
            "_replayed",
            lambda real, self, req: req.session_cnt <= self.session_cnt_prev.get(req.frag_index, 0),
        ),
    ),
    Mutant(
        "cnt-signed",
        "SessionCnt is compared as a signed difference.",
        _CNT + "32768",
        lambda: flags(fragmentation={"signed_session_cnt": True}),
    ),
    Mutant(
        "cnt-wraps",
        "SessionCnt wraps after 65535.",
        _CNT + "no-wrap",
        lambda: around(
            FragDevice,
            "_replayed",
            lambda real, self, req: (
                0 <= self.session_cnt_prev.get(req.frag_index, -1) - req.session_cnt < 0x8000
            ),
        ),
    ),
    Mutant(
        "cnt-shared",
        "One SessionCnt counts for all indices.",
        _CNT + "per-index",
        lambda: around(
            FragDevice,
            "_replayed",
            lambda real, self, req: (
                req.session_cnt <= max(self.session_cnt_prev.values(), default=-1)
            ),
        ),
    ),
    Mutant(
        "cnt-at-setup",
        "The set-up uses SessionCnt up, not the first fragment.",
        _CNT + "unused",
        lambda: around(FragDevice, "_setup", _cnt_at_setup),
    ),
    Mutant(
        "cnt-never-used",
        "No fragment uses SessionCnt up.",
        _CNT + "first-fragment",
        lambda: around(FragDevice, "_first", _cnt_at_end),
    ),
    Mutant(
        "cnt-deleted",
        "A delete forgets SessionCnt.",
        _CNT + "lower",
        lambda: around(FragDevice, "_delete", _delete_clears_cnt),
    ),
    Mutant(
        "cnt-in-ram",
        "SessionCnt is lost in a reset.",
        _CNT + "survives-reset",
        lambda: flags(fragmentation={"stores_session_cnt": False}),
    ),
    # the code
    Mutant(
        "matrix-of-version-1",
        "The matrix of version 1 is used in version 2.",
        "ts004-v2/loss-burst",
        lambda: flags(fragmentation={"parity": ParityVariant.V1}),
    ),
    Mutant(
        "matrix-of-version-2",
        "The matrix of version 2 is used in version 1.",
        "ts004-v1/loss-burst",
        lambda: flags(V1, fragmentation={"parity": ParityVariant.V2}),
        V1,
    ),
    Mutant(
        "matrix-of-the-annex",
        "The seed of the annex is used.",
        "ts004-v2/loss-burst",
        lambda: flags(fragmentation={"parity": ParityVariant.V2_ANNEX}),
    ),
    Mutant(
        "generator-without-carry",
        "Rows above 8383 are drawn wrong.",
        "ts004-v2/high-numbers",
        lambda: around(FragDecoder, "feed", _shifted_rows),
    ),
    Mutant(
        "count-not-rank",
        "So many fragments as there are make a block, whatever they tell.",
        "ts004-v1/one-too-few",
        lambda: attribute(FragDecoder, "complete", property(_count_not_rank)),
        V1,
    ),
    Mutant(
        "needs-a-coded-one",
        "The end is noticed with a coded fragment only.",
        "ts004-v2/lossless",
        lambda: flags(fragmentation={"needs_coded_fragment": True}),
    ),
    Mutant(
        "plain-ascending",
        "A late plain fragment is dropped.",
        "ts004-v2/order-late-plain",
        lambda: flags(fragmentation={"order": Order.PLAIN_ASCENDING}),
    ),
    Mutant(
        "ascending",
        "Fragments have to come in ascending order.",
        "ts004-v2/order-backwards",
        lambda: flags(fragmentation={"order": Order.ASCENDING}),
    ),
    Mutant(
        "last-lost",
        "The last plain fragment is never stored.",
        "ts004-v2/lossless",
        lambda: around(FragDevice, "_fragment", _last_first),
    ),
    Mutant(
        "any-length",
        "A fragment of another length is cut or filled up.",
        "ts004-v2/fragment-short",
        lambda: around(FragDevice, "_fragment", _any_length),
    ),
    Mutant(
        "delivered-again",
        "A fragment after the end delivers the block again.",
        "ts004-v2/complete-once",
        lambda: around(FragDevice, "_fragment", _again),
    ),
    Mutant(
        "mask-ignored",
        "Any group feeds any session.",
        "ts004-v2/group-not-in-mask",
        lambda: flags(fragmentation={"mask_enforced": False}),
    ),
    Mutant(
        "mask-for-unicast",
        "Unicast needs the bit of group 0.",
        "ts004-v2/lossless",
        lambda: around(FragDevice, "_drop_reason", _mask_for_unicast),
    ),
    Mutant(
        "index-ignored",
        "A fragment counts for whatever session there is.",
        "ts004-v2/fragment-other-index",
        lambda: around(FragDevice, "_fragment", _one_session),
    ),
    Mutant(
        "padding-kept",
        "The block comes with its Padding.",
        "ts004-v2/padding-1",
        lambda: around(FragDevice, "_finish", _padding_kept),
    ),
    Mutant(
        "mic-unchecked",
        "The MIC is not looked at.",
        "ts004-v2/status-mic-error",
        lambda: around(DataBlock, "verify", lambda *args, **options: None),
    ),
    Mutant(
        "mic-zero-descriptor",
        "The MIC is computed with a Descriptor of zeros.",
        "ts004-v2/mic-covers-setup",
        lambda: attribute(session, "DataBlock", _zero_descriptor),
    ),
    Mutant(
        "mic-over-padding",
        "The MIC covers the Padding.",
        "ts004-v2/padding-11",
        lambda: around(FragDevice, "_verified", _with_padding),
    ),
    Mutant(
        "mic-only-with-ack",
        "The MIC is looked at only with AckReception.",
        "ts004-v2/report-mic-without-ack",
        lambda: flags(fragmentation={"mic_only_with_ack": True}),
    ),
    # status
    Mutant(
        "missing-is-lost",
        "MissingFrag is the number of fragments lost.",
        "ts004-v2/status-repaired",
        lambda: flags(fragmentation={"missing": Missing.LOST}),
    ),
    Mutant(
        "missing-not-received",
        "MissingFrag is M less what was received.",
        "ts004-v2/status-useless-coded",
        lambda: flags(fragmentation={"missing": Missing.NOT_RECEIVED}),
    ),
    Mutant(
        "missing-8-bits",
        "MissingFrag is cut to 8 bits.",
        "ts004-v2/status-255",
        lambda: flags(fragmentation={"missing_truncated": True}),
    ),
    Mutant(
        "missing-one",
        "One fragment is missing after a transfer without loss.",
        "ts004-v2/status-lossless",
        lambda: flags(fragmentation={"lossless_missing_one": True}),
    ),
    Mutant(
        "fresh-complete",
        "A fresh session looks complete.",
        "ts004-v2/status-fresh",
        lambda: flags(fragmentation={"fresh_reads_complete": True}),
    ),
    Mutant(
        "long-absent-status",
        "The status of no session has four octets.",
        "ts004-v2/status-none",
        lambda: flags(fragmentation={"long_absent_status": True}),
    ),
    Mutant(
        "absent-silent",
        "The status of no session is not answered in version 2.",
        "ts004-v2/status-none",
        lambda: flags(fragmentation={"reports_missing_session": False}),
    ),
    Mutant(
        "status-of-version-1",
        "The status has the order of version 1.",
        "ts004-v2/status-plain",
        lambda: flags(fragmentation={"status_as_v1": True}),
    ),
    Mutant(
        "count-distinct",
        "Repeated fragments are not counted.",
        "ts004-v2/status-repeats",
        lambda: flags(fragmentation={"count": Count.DISTINCT}),
    ),
    Mutant(
        "count-last-n",
        "NbFragReceived is the last N.",
        "ts004-v1/status-plain",
        lambda: flags(V1, fragmentation={"count": Count.LAST_N}),
        V1,
    ),
    Mutant(
        "needy-all",
        "A complete device answers when only the needy are asked.",
        "ts004-v2/status-needy-complete",
        lambda: around(FragDevice, "_status", _status_always),
    ),
    Mutant(
        "all-needy",
        "A complete device keeps silent when all are asked.",
        "ts004-v2/status-all-complete",
        lambda: around(FragDevice, "_status", _status_never),
    ),
    Mutant(
        "no-mic-error",
        "MICError is never told.",
        "ts004-v2/status-mic-error",
        lambda: around(session, "status_ans", _no_mic_error),
    ),
    Mutant(
        "status-index-0",
        "The status names FragIndex 0 always.",
        "ts004-v1/status-plain",
        lambda: around(session, "status_ans", _index_0_told),
        V1,
    ),
    Mutant(
        "memory-error-sticky",
        "The memory bit stays for ever.",
        "ts004-v2/memory-error-cleared",
        lambda: flags(fragmentation={"sticky_memory_error": True}),
        SMALL,
    ),
    Mutant(
        "memory-error-untold",
        "A session that was given up does not say so.",
        "ts004-v2/too-many-lost",
        lambda: around(
            fragsession.FragSession,
            "figures",
            lambda real, self, profile, memory_error: dataclasses.replace(
                real(self, profile, memory_error=memory_error), memory_error=False
            ),
        ),
        SMALL,
    ),
    # delays
    Mutant(
        "no-delay",
        "Answers to multicast requests come at once.",
        "ts004-v2/status-delay-0",
        _delay(lambda window, drawn: 0.0),
    ),
    Mutant(
        "fixed-delay",
        "The delay is always half of the window.",
        "ts004-v2/status-delay-3",
        _delay(lambda window, drawn: window / 2),
    ),
    Mutant(
        "half-window",
        "BlockAckDelay is off by one, downwards.",
        "ts004-v2/status-delay-2",
        _delay(lambda window, drawn: drawn / 2),
    ),
    Mutant(
        "double-window",
        "BlockAckDelay is off by one, upwards.",
        "ts004-v2/status-delay-5",
        _delay(lambda window, drawn: drawn * 2),
    ),
    Mutant(
        "constant-window",
        "BlockAckDelay is not looked at: 16 s always.",
        "ts004-v2/status-delay-4",
        _delay(lambda window, drawn: drawn * 16 / window),
    ),
    Mutant(
        "milliseconds",
        "The delay counts in milliseconds.",
        "ts004-v1/status-delay-7",
        lambda: flags(V1, fragmentation={"delay_unit_seconds": 0.001}),
        V1,
    ),
    Mutant(
        "whole-seconds",
        "The delay is drawn in whole seconds.",
        "ts004-v2/status-delay-fraction",
        _delay(lambda window, drawn: math.floor(drawn)),
    ),
    Mutant(
        "skewed-delay",
        "Short delays are much more likely.",
        "ts004-v2/status-delay-uniform",
        _delay(lambda window, drawn: drawn * drawn / window),
    ),
    Mutant(
        "same-delays-after-reset",
        "The generator starts from the same place after each reset.",
        "ts004-v1/status-delay-after-reset",
        lambda: around(OwnDevice, "_of_profile", _same_start),
        V1,
    ),
    # reports
    Mutant(
        "reported-at-once",
        "A report that waited over a reset is sent first thing.",
        "ts004-v2/report-delay-after-reset",
        lambda: around(FragDevice, "_restore_reports", _reported_at_once),
    ),
    Mutant(
        "report-unasked",
        "A block is reported without AckReception.",
        "ts004-v2/report-not-asked",
        lambda: around(FragDevice, "_finish", _report_always),
    ),
    Mutant(
        "report-never",
        "A block is never reported.",
        "ts004-v2/report",
        lambda: around(FragDevice, "_finish", _report_never),
    ),
    Mutant(
        "report-for-ever",
        "The server's answer does not end the reports.",
        "ts004-v2/report-stops",
        _executing(v2.FragDataBlockReceivedAns),
    ),
    Mutant(
        "report-any-index",
        "An answer about any index ends all reports.",
        "ts004-v2/report-other-index",
        lambda: around(FragDevice, "_execute", _any_index_acknowledges),
    ),
    Mutant(
        "report-good",
        "A report never has MICError.",
        "ts004-v2/report-mic-error",
        lambda: around(FragDevice, "_report", _report_without_error),
    ),
    Mutant(
        "report-once",
        "A report that is lost is lost.",
        "ts004-v2/report-repeats",
        lambda: flags(fragmentation={"reports": 1}),
    ),
    Mutant(
        "report-every-1.5-s",
        "Reports are repeated every 1.5 s, for ever.",
        "ts004-v2/report-repeats",
        lambda: flags(fragmentation={"reports": None, "report_every_seconds": 1.5}),
    ),
    Mutant(
        "report-forgotten",
        "A report that waits is lost in a reset.",
        "ts004-v2/report-survives-reset",
        lambda: around(FragDevice, "_restore_reports", lambda *args: None),
    ),
    Mutant(
        "rebooted-without-reports",
        "A programmed reboot forgets the report that waits.",
        "ts004-v2/report-after-reboot",
        lambda: around(OwnDevice, "_reboot", _rebooted_without_reports),
    ),
    # deletes
    Mutant(
        "delete-says-there",
        "A delete never says that there was no session.",
        "ts004-v2/delete-none",
        lambda: around(FragDevice, "_delete", _always_there),
    ),
    Mutant(
        "delete-all",
        "A delete takes all sessions.",
        "ts004-v2/delete-other",
        lambda: around(FragDevice, "_delete", _delete_all),
    ),
    Mutant(
        "delete-nothing",
        "A delete is confirmed and not done.",
        "ts004-v2/delete",
        lambda: around(FragDevice, "_delete", _delete_nothing),
    ),
    Mutant(
        "complete-is-gone",
        "A complete session is gone before its delete.",
        "ts004-v2/delete-complete",
        lambda: flags(fragmentation={"complete_is_gone": True}),
    ),
    # unicast only, resets
    Mutant(
        "commands-by-multicast",
        "Set-ups and deletes are taken by multicast.",
        "ts004-v2/delete-by-multicast",
        lambda: flags(fragmentation={"unicast_only_enforced": False}),
    ),
    Mutant(
        "sessions-in-ram",
        "Sessions are lost in a reset.",
        "ts004-v2/session-survives-reset",
        lambda: around(FragDevice, "restore", _sessions_forgotten),
    ),
    Mutant(
        "group-feeds-index-0",
        "A group feeds the session of FragIndex 0 only.",
        "ts004-v2/group-feeds-index-1",
        lambda: around(FragDevice, "_drop_reason", _group_feeds_index_0),
    ),
    Mutant(
        "delete-uses-cnt",
        "A delete uses the SessionCnt of a session up that had no fragment.",
        "ts004-v2/setup-same-after-delete",
        lambda: around(FragDevice, "_delete", _delete_uses_cnt),
    ),
    Mutant(
        "same-decoder",
        "The same set-up after a delete goes on with the old fragments.",
        "ts004-v1/setup-same-after-delete-middle",
        lambda: around(FragDevice, "_new_decoder", _old_decoder),
        V1,
    ),
    Mutant(
        "index-unchecked",
        "A FragIndex without a session is taken.",
        "ts004-v1/index-1-not-supported",
        _refusal_without(v2.SetupError.FRAG_INDEX_UNSUPPORTED),
        TINY,
    ),
    Mutant(
        "report-early",
        "The first fragment is reported.",
        "ts004-v2/report-not-early",
        lambda: around(FragDevice, "_first", _report_early),
    ),
    Mutant(
        "report-of-the-old",
        "A new session inherits the report of the old one.",
        "ts004-v2/report-replaced",
        lambda: around(FragDevice, "_setup", _report_inherited),
    ),
]
