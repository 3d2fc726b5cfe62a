"""Fragmented Data Block Transport (TS004), the device's side: four sessions, counters, answers.

On the device a session of one FragIndex goes through these states::

    none --set-up accepted--> ready --fragment--> receiving --rank M--> rebuilding
                                                     |--more lost than max_lost--> aborted
    rebuilding --tick--> done (block good, or bad)
    any --set-up accepted--> ready      any --delete--> none      refused set-up: nothing changes

The work for a fragment is bounded, so the one that completes the block does not rebuild it: the
session is *rebuilding*, ``next_deadline`` is at once, and the next :meth:`FragDevice.tick` does it.
Further fragments are ignored from then on, and a status request is answered when it is known
whether the MIC fits.

A set-up that is accepted replaces whatever the index held, completely; TS004-1.0.0 wants a delete
in between, which no known device insists on.  In version 2 the first fragment that counts uses the
session counter up: :class:`StoreSessionCnt` comes before anything that fragment causes.

A set-up is stored before it is answered.  After a reset such a session goes on, without the
fragments it had unless the owner saved them too: the parity code makes them good.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final, final

from ..crypto import derive_data_block_int_key
from ..datablock import DataBlock
from ..errors import Described, FieldError, IntegrityError, StateError
from ..fec.decoder import CheckResult, Fed, FragDecoder
from ..fragmentation import v1, v2
from ..types import AppKey, DataBlockIntKey, GenAppKey
from ..wire import Command
from .actions import (
    Action,
    Answer,
    BlockFailed,
    BlockReceived,
    Dropped,
    DropReason,
    Store,
    StoreSessionCnt,
)
from .dialects import ZeroBasedDataFragment
from .fraglimits import FragLimits
from .fragserver import FragServer
from .fragsession import (
    Figures,
    FragSession,
    FragState,
    SetupReq,
    StatusAns,
    absent_status,
    status_ans,
)
from .gate import Results, let_in
from .profile import FragProfile
from .saved import (
    SavedState,
    reports_value,
    saved_command,
    saved_decoder,
    saved_int,
    saved_reports,
    saved_word,
)

__all__ = ["FragDevice", "FragLimits", "FragServer", "FragState", "SetupReq", "StatusAns"]

_FRAG_INDICES: Final = 4
_NOTHING: Final = Figures(0, 0, False)
_ENDS: Final = {
    state.value: state
    for state in (FragState.REBUILDING, FragState.DONE, FragState.FAILED, FragState.ABORTED)
}


@final
class FragDevice:
    """The device's side of all fragmentation sessions.  Knows no radio, no clock, no file."""

    REPORTS: Final = 3
    """How often FragDataBlockReceivedReq is sent at most while nobody answers."""

    def __init__(
        self,
        profile: FragProfile,
        *,
        rng: random.Random,
        root_key: GenAppKey | AppKey | None = None,
        limits: FragLimits | None = None,
        session_cnt_prev: Mapping[int, int] | None = None,
    ) -> None:
        """Start without sessions.

        Args:
            profile: The version spoken, or the stack imitated.
            rng: Draws the delays of answers.
            root_key: GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1); version 2 cannot do without.
            limits: What the device takes on.
            session_cnt_prev: The last counter used, by FragIndex, as stored before a reset.

        Raises:
            FieldError: Version 2 without a root key.
        """
        if profile.has_mic and root_key is None:
            raise FieldError(
                "FragDevice", "root_key", None, f"a key, since {profile.package} signs"
            )
        self.profile = profile
        self.limits = limits or FragLimits()
        self._rng = rng
        self._int_key: DataBlockIntKey | None = (
            None if root_key is None else derive_data_block_int_key(root_key)
        )
        self.session_cnt_prev = dict(session_cnt_prev or {})
        self._sessions: dict[int, FragSession] = {}
        self._stale = _NOTHING  # what the last session left, for stacks that tell it
        self._memory_error = False  # ... and its bit, for those that do not clear it

    def state(self, frag_index: int) -> FragState | None:
        """Return where a session stands, or None when there is none."""
        session = self._sessions.get(frag_index)
        return session.state if session else None

    def decoder(self, frag_index: int) -> FragDecoder:
        """Return a session's decoder, to look at.

        Raises:
            StateError: There is no such session, or it ended before a reset.
        """
        session = self._sessions.get(frag_index)
        if session is None or session.decoder is None:
            raise StateError("FragDevice.decoder", f"there is no session {frag_index}")
        return session.decoder

    @property
    def spent_groups(self) -> frozenset[int]:
        """Multicast groups that feed sessions, all of which have ended.

        One that is rebuilding counts only with its block: a reset before that sets it back.
        """
        fed: dict[bool, int] = {False: 0, True: 0}
        for session in self._sessions.values():
            fed[session.ended] |= session.setup.mc_group_bit_mask
        return frozenset(i for i in range(4) if (fed[True] & ~fed[False]) >> i & 1)

    def execute(
        self, command: Command, *, now: float, mc_group_id: int | None = None
    ) -> list[Answer | Action]:
        """Execute one command, in the order received.

        Args:
            command: A downlink of this package.
            now: The owner's seconds.
            mc_group_id: The group on whose address it arrived; None for unicast.
        """
        return let_in(
            command,
            self.profile.package,
            lambda: self._execute(command, now, mc_group_id),
            unicast_only=mc_group_id is not None and self.profile.unicast_only_enforced,
        )

    def _execute(self, command: Command, now: float, mc_group_id: int | None) -> Results | None:
        match command:
            case v1.DataFragment(n=n, frag_index=index, payload=payload):
                return self._fragment(index, n, payload, now, mc_group_id)
            case ZeroBasedDataFragment(n=n, frag_index=index, payload=payload):
                return self._fragment(index, n + 1, payload, now, mc_group_id)
            case v1.FragSessionStatusReq():
                return self._status(command, mc_group_id is not None)
            case v1.FragSessionSetupReq() | v2.FragSessionSetupReq():
                return self._setup(command)
            case v1.FragSessionDeleteReq(frag_index=index):
                return self._delete(index)
            case v2.FragDataBlockReceivedAns(frag_index=index):
                session = self._sessions.get(index)
                if session is None or not session.reported:
                    return []  # before the first report it is a late repeat
                session.next_report = None
                session.reports_left = 0
                return [*self._stored_reports(index, session)]
            case _:
                return None

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in the owner's seconds."""
        due: float | None = None
        for one in self._sessions.values():  # asked after every fragment
            rebuilds = one.state is FragState.REBUILDING
            for time in (one.full_since if rebuilds else None, one.next_report):
                if time is not None and (due is None or time < due):
                    due = time
        return due

    def tick(self, *, now: float) -> list[Answer | Action]:
        """Rebuild blocks and send the reports that are due.

        Harmless when called too early or too often.
        """
        actions: list[Answer | Action] = []
        for index, session in self._sessions.items():
            if session.state is FragState.REBUILDING:
                actions += self._rebuild(session, now)
            if session.next_report is None:
                continue
            if session.next_report > now:
                latest = now + self._longest_delay(session.setup)
                session.next_report = min(session.next_report, latest)  # time ran back
                continue
            actions += self._report(index, session)
            if session.reports_left == 0 or self.profile.reports_on_fragment:
                session.next_report = None
            else:
                session.next_report = now + self._report_distance(session.setup)
        return actions

    def export(self, *, progress: bool = False) -> SavedState:
        """Return everything that has to survive a reset; there is no secret in it.

        Args:
            progress: The fragments received so far as well.
        """
        state: SavedState = {}
        if self.profile.stores_session_cnt:
            state |= {f"session_cnt/{at}": count for at, count in self.session_cnt_prev.items()}
        for index, session in self._sessions.items():
            state[f"setup/{index}"] = session.setup.encode().hex()
            if session.reports_stored is not None:
                state[f"report/{index}"] = session.reports_stored
            if session.ended:
                state[f"end/{index}"] = session.state.value
            elif progress and session.decoder is not None:
                state[f"decoder/{index}"] = session.decoder.save()
                if session.state is FragState.REBUILDING:
                    state[f"end/{index}"] = session.state.value
        return state

    def restore(self, state: Mapping[str, object], *, now: float) -> None:
        """Take over, at the start, what was stored before a reset.

        Reports that were not acknowledged go on, after a new delay; those sent before count.

        Raises:
            FieldError: An entry cannot be read, or is above the limits.
        """
        signed = self.profile.has_mic
        kind: type[SetupReq] = v2.FragSessionSetupReq if signed else v1.FragSessionSetupReq
        for index in range(_FRAG_INDICES):
            count = saved_int(state, f"session_cnt/{index}", 0, 0xFFFF)
            if count is not None and self.profile.stores_session_cnt:
                self.session_cnt_prev[index] = count
            setup = saved_command(state, f"setup/{index}", kind)
            if setup is None:
                continue
            if setup.frag_index != index or self.limits.refusal(setup):
                expected = f"a set-up of {index} that is accepted"
                raise FieldError("saved state", f"setup/{index}", setup, expected)
            self._sessions[index] = self._restored(state, index, setup)
            self._restore_reports(state, index, now)

    # Setting up

    def _setup(self, req: SetupReq) -> list[Answer | Action]:
        index, errors = req.frag_index, self._setup_errors(req)
        answer: Command = v2.FragSessionSetupAns(errors=errors, frag_index=index)
        if isinstance(req, v1.FragSessionSetupReq):
            answer = v1.FragSessionSetupAns(errors=v1.SetupError(errors), frag_index=index)
        session = self._sessions.get(index)
        if errors:
            forgotten = self._forget(index) if self.profile.refusal_destroys else []
            return [*forgotten, Answer(answer)]
        if session is not None and session.setup == req and session.state is FragState.READY:
            return [Answer(answer)]
        actions: list[Answer | Action] = []
        if session is not None:
            actions += self._forget_end(index, session)
        if session is None or session.setup != req:
            actions.append(Store(f"setup/{index}", req.encode().hex()))
        self._sessions[index] = FragSession(req, self._new_decoder(req))
        if self.profile.one_decoder:
            self._usurp(index)
        return [*actions, Answer(answer)]

    def _new_decoder(self, req: SetupReq) -> FragDecoder:
        return FragDecoder(
            nb_frag=req.nb_frag,
            frag_size=req.frag_size,
            variant=self.profile.parity,
            max_lost=self.limits.max_lost,
        )

    def _usurp(self, index: int) -> None:
        """Have every other session lose its decoding to this one."""
        for other, session in self._sessions.items():
            if other != index and not session.full:  # a stack rebuilds a block at once
                session.decoder, session.state = self._sessions[index].decoder, FragState.ABORTED

    def _setup_errors(self, req: SetupReq) -> v2.SetupError:
        """Return every bit that applies; the order of the checks is free (TS004, set-up)."""
        errors = self.limits.refusal(req)
        if self.profile.one_session and set(self._sessions) - {req.frag_index}:
            errors |= v2.SetupError.FRAG_INDEX_UNSUPPORTED
        if isinstance(req, v2.FragSessionSetupReq) and self._replayed(req):
            errors |= v2.SetupError.SESSION_CNT_REPLAY
        return errors

    def _replayed(self, req: v2.FragSessionSetupReq) -> bool:
        if self.profile.signed_session_cnt:
            previous = self.session_cnt_prev.get(req.frag_index, 0xFFFF)
            return not 0 < (req.session_cnt - previous) % 0x10000 < 0x8000
        return req.session_cnt <= self.session_cnt_prev.get(req.frag_index, -1)

    def _delete(self, index: int) -> list[Answer | Action]:
        session = self._sessions.get(index)
        gone = session is None or (session.full and self.profile.complete_is_gone)
        answer = v1.FragSessionDeleteAns(frag_index=index, session_does_not_exist=gone)
        return [*self._forget(index), Answer(answer)]

    def _forget(self, index: int) -> list[Answer | Action]:
        session = self._sessions.pop(index, None)
        if session is None:
            return []
        self._stale = session.figures(self.profile, memory_error=self._memory_error)
        # the end first: alone it would end the next session of this index
        return [*self._forget_end(index, session), Store(f"setup/{index}", None)]

    def _forget_end(self, index: int, session: FragSession) -> list[Action]:
        session.reports_left = 0
        ended: list[Action] = [Store(f"end/{index}", None)] if session.full else []
        return [*ended, *self._stored_reports(index, session)]

    def _restore_reports(self, state: Mapping[str, object], index: int, now: float) -> None:
        session, left = self._sessions[index], saved_reports(state, f"report/{index}")
        session.reports_stored = reports_value(left)
        if not session.ended or left == 0:
            return
        session.reports_left = left
        session.reported = left is None or left < (self.profile.reports or 0)
        if not (self.profile.reports_on_fragment and session.reported):
            session.next_report = now + self._delay(session.setup)

    def _restored(self, state: Mapping[str, object], index: int, setup: SetupReq) -> FragSession:
        end = saved_word(state, f"end/{index}", _ENDS)
        if end is not None and end is not FragState.REBUILDING:
            return FragSession(setup, None, end)
        decoder = saved_decoder(state, f"decoder/{index}")
        if decoder is None and end is None:
            return FragSession(setup, self._new_decoder(setup))
        if decoder is None:
            raise FieldError("saved state", f"decoder/{index}", None, "the one to be rebuilt")
        shape = (decoder.nb_frag, decoder.frag_size, decoder.variant, decoder.max_lost)
        wanted = (setup.nb_frag, setup.frag_size, self.profile.parity, self.limits.max_lost)
        complete = decoder.complete
        plausible = (
            complete if end is not None else self.profile.needs_coded_fragment or not complete
        )
        if shape != wanted or decoder.given_up or not plausible:
            found = Described("a decoder")
            raise FieldError("saved state", f"decoder/{index}", found, "one of this session")
        if end is not None:
            return FragSession(setup, decoder, end)
        begun = decoder.nb_frag_received > 0
        return FragSession(setup, decoder, FragState.RECEIVING if begun else FragState.READY)

    # Receiving

    def _fragment(
        self, index: int, n: int, payload: bytes, now: float, mc_group_id: int | None
    ) -> list[Answer | Action]:
        session = self._sessions.get(index)
        reason = self._drop_reason(session, n, payload, mc_group_id)
        if session is None or session.decoder is None or reason is not None:
            again = self.profile.reports_on_fragment and session is not None and session.reported
            if again and reason is DropReason.COMPLETE and session is not None:
                return self._report(index, session) if session.reports_left != 0 else []
            return [Dropped(reason or DropReason.NO_SESSION, f"fragment {n}")]
        setup, decoder = session.setup, session.decoder
        actions = self._first(session) if session.state is FragState.READY else []
        session.note(n)
        fed = decoder.feed(n, payload)
        if fed is Fed.GIVEN_UP:
            session.state, session.out_of_memory = FragState.ABORTED, True
            self._memory_error = self.profile.sticky_memory_error
            reason_text = f"more than max_lost = {self.limits.max_lost} fragments were lost"
            failed = BlockFailed(index, setup.descriptor, reason_text, decoder.check())
            return [*actions, failed, Store(f"end/{index}", session.state.value)]
        noticed = n > setup.nb_frag or not self.profile.needs_coded_fragment
        if noticed and decoder.complete:
            session.state, session.full_since = FragState.REBUILDING, now
        return actions

    def _first(self, session: FragSession) -> list[Answer | Action]:
        """Use up the session counter with the first fragment that counts."""
        session.state = FragState.RECEIVING
        setup = session.setup
        if not isinstance(setup, v2.FragSessionSetupReq):
            return []
        self.session_cnt_prev[setup.frag_index] = setup.session_cnt
        if not self.profile.stores_session_cnt:
            return []
        return [StoreSessionCnt(setup.frag_index, setup.session_cnt)]

    def _drop_reason(
        self, session: FragSession | None, n: int, payload: bytes, mc_group_id: int | None
    ) -> DropReason | None:
        """Say why a fragment is ignored, in the order the text makes the checks."""
        if session is None:
            return DropReason.NO_SESSION
        allowed = mc_group_id is None or session.setup.mc_group_bit_mask >> mc_group_id & 1
        if not allowed and self.profile.mask_enforced:
            return DropReason.NOT_IN_MASK
        return session.refuses(n, len(payload), self.profile.order)

    def _rebuild(self, session: FragSession, now: float) -> list[Answer | Action]:
        """Bring a session that is rebuilding to its end, and answer who asked meanwhile."""
        assert session.decoder is not None  # it has not been through a reset, or is restored
        index = session.setup.frag_index
        block = self._finish(session, session.decoder, now)
        actions: list[Answer | Action] = [block]
        actions += self._stored_reports(index, session)  # before the end, which makes it count
        actions.append(Store(f"end/{index}", session.state.value))
        if session.asked is not None:
            request, multicast = session.asked
            session.asked = None
            actions += self._status(request, multicast)
        return actions

    def _finish(
        self, session: FragSession, decoder: FragDecoder, now: float
    ) -> BlockReceived | BlockFailed:
        setup, check = session.setup, decoder.check()
        padded = decoder.block_despite_disagreement()
        image = padded[: len(padded) - setup.padding]
        session.state = FragState.DONE
        if not isinstance(setup, v2.FragSessionSetupReq):
            return BlockReceived(setup.frag_index, setup.descriptor, image, False, check)
        if setup.ack_reception:
            session.reports_left = self.profile.reports
            session.next_report = now + self._delay(setup)
        if self.profile.mic_only_with_ack and not setup.ack_reception:
            return BlockReceived(setup.frag_index, setup.descriptor, image, False, check)
        return self._verified(session, setup, image, check)

    def _verified(
        self, session: FragSession, setup: v2.FragSessionSetupReq, image: bytes, check: CheckResult
    ) -> BlockReceived | BlockFailed:
        assert self._int_key is not None  # the constructor saw to it
        numbers = {"session_cnt": setup.session_cnt, "frag_index": setup.frag_index}
        block = DataBlock(image, setup.frag_size, setup.descriptor)
        try:
            block.verify(self._int_key, setup.mic, **numbers)
        except IntegrityError as error:
            session.state = FragState.FAILED
            return BlockFailed(setup.frag_index, setup.descriptor, str(error), check)
        return BlockReceived(setup.frag_index, setup.descriptor, image, True, check)

    # Telling

    def _longest_delay(self, setup: SetupReq) -> float:
        spread = float(1 << setup.block_ack_delay + 4) * self.profile.delay_unit_seconds
        return max(spread + self.profile.extra_delay_seconds[1], self._report_distance(None))

    def _delay(self, setup: SetupReq) -> float:
        """Draw the delay of an answer: uniform over 2**(BlockAckDelay + 4) seconds."""
        spread = float(1 << setup.block_ack_delay + 4) * self.profile.delay_unit_seconds
        shortest, longest = self.profile.extra_delay_seconds
        extra = self._rng.uniform(shortest, longest) if longest else 0.0
        return self._rng.random() * spread + extra

    def _report_distance(self, setup: SetupReq | None) -> float:
        if self.profile.report_every_seconds is not None:
            return self.profile.report_every_seconds
        return 0.0 if setup is None else self._delay(setup)

    def _report(self, index: int, session: FragSession) -> Results:
        session.reported = True
        if session.reports_left is not None:
            session.reports_left -= 1
        failed = session.state is FragState.FAILED
        report = v2.FragDataBlockReceivedReq(frag_index=index, mic_error=failed)
        return [*self._stored_reports(index, session), Answer(report)]

    def _stored_reports(self, index: int, session: FragSession) -> list[Action]:
        """Store how many reports are left, if that has changed."""
        value = reports_value(session.reports_left)
        if value == session.reports_stored:
            return []
        session.reports_stored = value
        return [Store(f"report/{index}", value)]

    def _status(self, req: v1.FragSessionStatusReq, multicast: bool) -> list[Answer | Action]:
        session = self._sessions.get(req.frag_index)
        if session is None:
            absent = absent_status(self.profile, req.frag_index, self._stale)
            return [] if absent is None else [Answer(absent)]
        if session.state is FragState.REBUILDING:  # no answer would be true yet
            if session.asked is None or req.participants:
                session.asked = req, multicast
            return []
        figures = session.figures(self.profile, memory_error=self._memory_error)
        content = session.state is FragState.DONE and figures.missing_frag == 0
        if content and not req.participants:
            return []
        delayed = multicast or self.profile.delays_unicast_status
        delay = self._delay(session.setup) if delayed else 0.0
        mic_error = session.state is FragState.FAILED
        if self.profile.fresh_reads_complete and session.state is FragState.READY:
            return [Answer(status_ans(self.profile, 0, _NOTHING, mic_error), delay)]
        return [Answer(status_ans(self.profile, req.frag_index, figures, mic_error), delay)]
