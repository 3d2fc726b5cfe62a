"""Fragmented Data Block Transport (TS004): the device's sessions, and the server's messages.

On the device a session of one FragIndex goes through these states::

    none --set-up accepted--> ready --fragment--> receiving --rank M--> done (block good, or bad)
                                                     |--more lost than max_lost--> aborted
    any --set-up accepted--> ready      any --delete--> none      refused set-up: nothing changes

A set-up that is accepted replaces whatever the index held, completely; TS004-1.0.0 wants a delete
in between, which no known device insists on.  In version 2 the first fragment that counts uses the
session counter up: :class:`StoreSessionCnt` comes before anything that fragment causes.
"""

from __future__ import annotations

import dataclasses
import enum
import random
from typing import Final, TypeAlias, final

from ..crypto import derive_data_block_int_key
from ..datablock import MAX_NB_FRAG, DataBlock
from ..errors import FieldError, IntegrityError, StateError, require_int
from ..fec.decoder import Fed, FragDecoder, memory_bound
from ..fragmentation import v1, v2
from ..package import PackageVersionAns, PackageVersionReq
from ..types import AppKey, DataBlockIntKey, GenAppKey
from ..wire import Command
from .actions import (
    Action,
    Answer,
    BlockFailed,
    BlockReceived,
    Dropped,
    DropReason,
    StoreSessionCnt,
)
from .profile import FragProfile

__all__ = ["FragDevice", "FragLimits", "FragServer", "FragState", "SetupReq", "StatusAns"]

SetupReq: TypeAlias = v1.FragSessionSetupReq | v2.FragSessionSetupReq
SetupAns: TypeAlias = v1.FragSessionSetupAns | v2.FragSessionSetupAns
StatusAns: TypeAlias = v1.FragSessionStatusAns | v2.FragSessionStatusAns

_MAX_FIELD: Final = 255
_FRAG_INDICES: Final = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FragLimits:
    """What a device takes on; anything above it is refused before memory is spent.

    Attributes:
        max_memory: Octets one session may need, decoder included
            (:func:`lorafuota.fec.decoder.memory_bound`).
        nb_indices: FragIndex values supported, from 0; 1 to 4.
        max_lost: Fragments the parity code can make good, None for any; imitates small devices.
        descriptors: Descriptors accepted, None for all.
    """

    max_memory: int = 32 << 20
    nb_indices: int = _FRAG_INDICES
    max_lost: int | None = None
    descriptors: frozenset[bytes] | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        require_int("FragLimits", "nb_indices", self.nb_indices, 1, _FRAG_INDICES)
        if self.max_memory < 0:
            raise FieldError("FragLimits", "max_memory", self.max_memory, "0 or more")


class FragState(enum.Enum):
    """Where one session stands."""

    READY = "ready"
    RECEIVING = "receiving"
    DONE = "done"
    FAILED = "failed"
    """Complete with another MIC."""
    ABORTED = "aborted"
    """More was lost than the device can make good."""


@dataclasses.dataclass(slots=True)
class _Session:
    setup: SetupReq
    decoder: FragDecoder
    state: FragState = FragState.READY
    reports_left: int = 0
    next_report: float | None = None


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
        session_cnt_prev: dict[int, int] | None = None,
    ) -> None:
        """Start without sessions.

        Args:
            profile: The version spoken.
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
        self._sessions: dict[int, _Session] = {}

    def state(self, frag_index: int) -> FragState | None:
        """Return where a session stands, or None when there is none."""
        session = self._sessions.get(frag_index)
        return session.state if session else None

    def decoder(self, frag_index: int) -> FragDecoder:
        """Return a session's decoder, to look at.

        Raises:
            StateError: There is no such session.
        """
        if frag_index not in self._sessions:
            raise StateError("FragDevice.decoder", f"there is no session {frag_index}")
        return self._sessions[frag_index].decoder

    def execute(
        self, command: Command, *, now: float, mc_group_id: int | None = None
    ) -> list[Answer | Action]:
        """Execute one command, in the order received.

        Args:
            command: A downlink of this package.
            now: GPS seconds.
            mc_group_id: The group on whose address it arrived; None for unicast.
        """
        if mc_group_id is not None and not command.MULTICAST:
            return [Dropped(DropReason.UNICAST_ONLY, type(command).__name__)]
        if type(command) not in self.profile.package.commands:
            return [Dropped(DropReason.PACKAGE, type(command).__name__)]
        match command:
            case v1.DataFragment():
                return self._fragment(command, now, mc_group_id)
            case v1.FragSessionStatusReq():
                return self._status(command, mc_group_id is not None)
            case v1.FragSessionSetupReq() | v2.FragSessionSetupReq():
                return [self._setup(command)]
            case v1.FragSessionDeleteReq(frag_index=index):
                gone = self._sessions.pop(index, None) is None
                return [
                    Answer(v1.FragSessionDeleteAns(frag_index=index, session_does_not_exist=gone))
                ]
            case v2.FragDataBlockReceivedAns(frag_index=index):
                session = self._sessions.get(index)
                if session is not None and session.reports_left < self.REPORTS:
                    session.next_report = None  # before the first report it is a late repeat
                return []
            case PackageVersionReq():
                package = self.profile.package
                return [
                    Answer(
                        PackageVersionAns(
                            package_identifier=package.identifier, package_version=package.version
                        )
                    )
                ]
            case _:
                return [Dropped(DropReason.DIRECTION, type(command).__name__)]

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in GPS seconds."""
        times = [one.next_report for one in self._sessions.values() if one.next_report is not None]
        return min(times, default=None)

    def tick(self, *, now: float) -> list[Answer | Action]:
        """Send the reports that are due.  Harmless when called too early or too often."""
        actions: list[Answer | Action] = []
        for index, session in self._sessions.items():
            if session.next_report is None or session.next_report > now:
                continue
            failed = session.state is FragState.FAILED
            actions.append(Answer(v2.FragDataBlockReceivedReq(frag_index=index, mic_error=failed)))
            session.reports_left -= 1
            later = now + self._delay(session.setup)
            session.next_report = later if session.reports_left else None
        return actions

    # Setting up

    def _setup(self, req: SetupReq) -> Answer:
        errors = self._setup_errors(req)
        if not errors:
            decoder = FragDecoder(
                nb_frag=req.nb_frag,
                frag_size=req.frag_size,
                variant=self.profile.parity,
                max_lost=self.limits.max_lost,
            )
            self._sessions[req.frag_index] = _Session(req, decoder)
        if isinstance(req, v1.FragSessionSetupReq):
            refusal = v1.SetupError(errors)
            return Answer(v1.FragSessionSetupAns(errors=refusal, frag_index=req.frag_index))
        return Answer(v2.FragSessionSetupAns(errors=errors, frag_index=req.frag_index))

    def _setup_errors(self, req: SetupReq) -> v2.SetupError:
        """Return every bit that applies; the order of the checks is free (TS004, set-up)."""
        limits, errors = self.limits, v2.SetupError(0)
        if req.frag_algo != 0:
            errors |= v2.SetupError.FRAG_ALGO_UNSUPPORTED
        if self._too_much(req):
            errors |= v2.SetupError.NOT_ENOUGH_MEMORY
        if req.frag_index >= limits.nb_indices:
            errors |= v2.SetupError.FRAG_INDEX_UNSUPPORTED
        if limits.descriptors is not None and req.descriptor not in limits.descriptors:
            errors |= v2.SetupError.WRONG_DESCRIPTOR
        if isinstance(req, v2.FragSessionSetupReq):
            previous = self.session_cnt_prev.get(req.frag_index, -1)
            if req.session_cnt <= previous:
                errors |= v2.SetupError.SESSION_CNT_REPLAY
        return errors

    def _too_much(self, req: SetupReq) -> bool:
        """Whether the block is too large, or makes no sense, for which there is no other bit."""
        if not 1 <= req.nb_frag <= MAX_NB_FRAG or req.frag_size == 0:
            return True
        if req.padding >= req.frag_size:
            return True
        need = memory_bound(
            nb_frag=req.nb_frag, frag_size=req.frag_size, max_lost=self.limits.max_lost
        )
        return need > self.limits.max_memory

    # Receiving

    def _fragment(
        self, fragment: v1.DataFragment, now: float, mc_group_id: int | None
    ) -> list[Answer | Action]:
        session = self._sessions.get(fragment.frag_index)
        reason = self._drop_reason(session, fragment, mc_group_id)
        if session is None or reason is not None:
            return [Dropped(reason or DropReason.NO_SESSION, f"fragment {fragment.n}")]
        actions: list[Answer | Action] = []
        setup = session.setup
        if session.state is FragState.READY:
            session.state = FragState.RECEIVING
            if isinstance(setup, v2.FragSessionSetupReq):
                self.session_cnt_prev[setup.frag_index] = setup.session_cnt
                actions.append(StoreSessionCnt(setup.frag_index, setup.session_cnt))
        fed = session.decoder.feed(fragment.n, fragment.payload)
        if fed is Fed.GIVEN_UP:
            session.state = FragState.ABORTED
            reason_text = f"more than max_lost = {self.limits.max_lost} fragments were lost"
            check = session.decoder.check()
            actions.append(BlockFailed(setup.frag_index, setup.descriptor, reason_text, check))
        elif session.decoder.complete:
            actions += self._finish(session, now)
        return actions

    def _drop_reason(
        self, session: _Session | None, fragment: v1.DataFragment, mc_group_id: int | None
    ) -> DropReason | None:
        """Say why a fragment is ignored, in the order the text makes the checks."""
        if session is None:
            return DropReason.NO_SESSION
        if mc_group_id is not None and not session.setup.mc_group_bit_mask >> mc_group_id & 1:
            return DropReason.NOT_IN_MASK
        if session.state in (FragState.DONE, FragState.FAILED):
            return DropReason.COMPLETE
        if session.state is FragState.ABORTED:
            return DropReason.ABORTED
        if len(fragment.payload) != session.setup.frag_size:
            return DropReason.LENGTH
        return None

    def _finish(self, session: _Session, now: float) -> list[Answer | Action]:
        setup, check = session.setup, session.decoder.check()
        padded = session.decoder.block_despite_disagreement()
        image = padded[: len(padded) - setup.padding]
        block = DataBlock(image, setup.frag_size, setup.descriptor)
        verified = isinstance(setup, v2.FragSessionSetupReq)
        session.state = FragState.DONE
        if isinstance(setup, v2.FragSessionSetupReq):
            if setup.ack_reception:
                session.reports_left = self.REPORTS
                session.next_report = now + self._delay(setup)
            assert self._int_key is not None  # the constructor saw to it
            numbers = {"session_cnt": setup.session_cnt, "frag_index": setup.frag_index}
            try:
                block.verify(self._int_key, setup.mic, **numbers)
            except IntegrityError as error:
                session.state = FragState.FAILED
                return [BlockFailed(setup.frag_index, setup.descriptor, str(error), check)]
        return [BlockReceived(setup.frag_index, setup.descriptor, image, verified, check)]

    # Telling

    def _delay(self, setup: SetupReq) -> float:
        """Draw the delay of an answer: uniform over 2**(BlockAckDelay + 4) seconds."""
        return self._rng.random() * float(1 << setup.block_ack_delay + 4)

    def _status(self, req: v1.FragSessionStatusReq, multicast: bool) -> list[Answer | Action]:
        session = self._sessions.get(req.frag_index)
        if session is None:
            if not self.profile.reports_missing_session:
                return []
            return [
                Answer(
                    v2.FragSessionStatusAns(
                        memory_error=False,
                        mic_error=False,
                        session_does_not_exist=True,
                        nb_frag_received=None,
                        frag_index=None,
                        missing_frag=None,
                    )
                )
            ]
        if session.state is FragState.DONE and not req.participants:
            return []
        delay = self._delay(session.setup) if multicast else 0.0
        return [Answer(self._status_ans(req.frag_index, session), delay)]

    def _status_ans(self, frag_index: int, session: _Session) -> StatusAns:
        decoder = session.decoder
        missing = min(decoder.missing, _MAX_FIELD)
        aborted = session.state is FragState.ABORTED
        if not self.profile.has_mic:
            return v1.FragSessionStatusAns(
                nb_frag_received=decoder.nb_frag_received,
                frag_index=frag_index,
                missing_frag=missing,
                not_enough_matrix_memory=aborted,
            )
        return v2.FragSessionStatusAns(
            memory_error=aborted,
            mic_error=session.state is FragState.FAILED,
            session_does_not_exist=False,
            nb_frag_received=decoder.nb_frag_received,
            frag_index=frag_index,
            missing_frag=missing,
        )


@final
class FragServer:
    """The server's messages for one block and one device."""

    def __init__(
        self,
        profile: FragProfile,
        block: DataBlock,
        *,
        frag_index: int = 0,
        mc_group_bit_mask: int = 0,
        block_ack_delay: int = 0,
        ack_reception: bool = False,
        session_cnt: int = 0,
        root_key: GenAppKey | AppKey | None = None,
    ) -> None:
        """Describe the session.

        Args:
            profile: The version the device speaks.
            block: What to deliver.
            frag_index: Session on the device, 0 to 3.
            mc_group_bit_mask: Multicast groups that feed it, bit = McGroupID; 0 is unicast only.
            block_ack_delay: Answers spread over 2**(n+4) seconds, 0 to 7.
            ack_reception: Version 2: have the device report by itself.
            session_cnt: Version 2: one more than the last used with this device and index.  Store
                it before the set-up is sent: it must never come back with other data.
            root_key: Version 2: the device's GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1).

        Raises:
            FieldError: A number is out of range, or version 2 without a root key.
        """
        self.profile, self.block = profile, block
        mic = b""
        if profile.has_mic:
            if root_key is None:
                expected = f"a key, since {profile.package} signs"
                raise FieldError("FragServer", "root_key", None, expected)
            key = derive_data_block_int_key(root_key)
            mic = block.mic(key, session_cnt=session_cnt, frag_index=frag_index)
        common = {
            "mc_group_bit_mask": mc_group_bit_mask,
            "frag_index": frag_index,
            "nb_frag": block.nb_frag,
            "frag_size": block.frag_size,
            "block_ack_delay": block_ack_delay,
            "frag_algo": 0,
            "padding": block.padding,
        }
        self.setup_req: SetupReq = (
            v2.FragSessionSetupReq(
                **common,
                descriptor=block.descriptor,
                ack_reception=ack_reception,
                session_cnt=session_cnt,
                mic=mic,
            )
            if profile.has_mic
            else v1.FragSessionSetupReq(**common, descriptor=block.descriptor)
        )

    def refusal(self, answer: SetupAns) -> str | None:
        """Say why the device refused the set-up, or None when it accepted this session."""
        if answer.frag_index != self.setup_req.frag_index:
            return f"the answer is about FragIndex {answer.frag_index}"
        names = [str(bit.name) for bit in type(answer.errors) if answer.errors & bit]
        return ", ".join(names) or None
