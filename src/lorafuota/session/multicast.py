"""Remote Multicast Setup (TS005): groups and their keys, counters and windows, on the device.

A group on the device::

    undefined --set-up--> defined --delete--> undefined       set-up of a defined group replaces it

Its one window is the matter of :mod:`lorafuota.session.windows`.  A request that is refused leaves
it as it was.

The frame counter belongs to the key.  It outlives windows, and a set-up that brings a key and an
address the device knows does not restart it, not even after a delete: a frame that was accepted
once is never accepted again (promise S9).  What has to survive a reset leaves as :class:`Store`
before the answer or the frame it guards; the counter is stored a stretch ahead, so that not every
frame costs a write, and a reset costs at most that many frames.  So is receive time, where it is
limited.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Final, final

from ..crypto import (
    derive_mc_ke_key,
    derive_mc_root_key,
    unwrap_mc_key,
)
from ..errors import FieldError
from ..link import MAX_FCNT, Drop, McFrame, McReceiver, open_any
from ..multicastsetup import v1
from ..types import AppKey, BytesLike, DevAddr, GenAppKey, McKEKey
from ..wire import Command
from .actions import Action, Answer, Dropped, DropReason, ListenClassB, ListenClassC, Store
from .gate import Results, let_in
from .groupserver import CLOCK_UNKNOWN, McGroupServer, SessionAns, choose_time_out
from .mcsession import McLimits, acceptance_ans, refusal_ans, session_errors
from .profile import McProfile
from .saved import SavedState, saved_command, saved_mark
from .windows import Listen, SessionReq, WindowLimits, Windows, session_window

__all__ = [
    "CLOCK_UNKNOWN",
    "McDevice",
    "McGroupServer",
    "McLimits",
    "SessionAns",
    "SessionReq",
    "WindowLimits",
    "choose_time_out",
    "session_window",
]

_MAX_GROUPS: Final = 4
_SESSION_REQS: Final[tuple[type[SessionReq], ...]] = (
    v1.McClassCSessionReq,
    v1.McClassBSessionReq,
)


@dataclasses.dataclass(slots=True)
class _Group:
    setup: v1.McGroupSetupReq
    receiver: McReceiver
    identity: str  # what its counter belongs to, key and address, as a digest
    stored: int | None = None  # the highest counter that may have been accepted, as stored


@final
class McDevice:
    """The device's side of multicast groups.  Knows no radio, no clock, no file."""

    def __init__(
        self, profile: McProfile, *, root_key: GenAppKey | AppKey, limits: McLimits | None = None
    ) -> None:
        """Start without groups.

        Args:
            profile: The version spoken, or the stack imitated.
            root_key: GenAppKey on LoRaWAN 1.0.x, AppKey on 1.1; not the other one.
            limits: What the device can do.
        """
        self.profile = profile
        self.limits = limits or McLimits()
        mc_ke_key = derive_mc_ke_key(derive_mc_root_key(root_key))
        self._mc_ke_key = McKEKey(bytes(16)) if profile.zero_mc_ke_key else mc_ke_key
        self._groups: dict[int, _Group] = {}
        self._former: dict[int, tuple[str, int]] = {}
        self._windows = Windows(self.limits.windows, class_b_as_c=profile.class_b_as_c)
        self._listened: dict[str, int | str] = {}  # receive time as it has been stored

    @property
    def groups(self) -> Mapping[int, DevAddr]:
        """The address of each group, by McGroupID."""
        return {index: group.receiver.mc_addr for index, group in self._groups.items()}

    @property
    def listening(self) -> tuple[int, ...]:
        """Groups whose window is open."""
        return self._windows.running

    @property
    def class_c_until(self) -> float | None:
        """When the last open class C window ends; None while none is open."""
        return self._windows.class_c_until

    @property
    def wants_time(self) -> bool:
        """Whether a window waits for the device to learn the time."""
        return self._windows.waiting

    def window(self, mc_group_id: int) -> Listen | None:
        """Return the window a group is scheduled for or listening in, in the owner's seconds.

        There is none without a session request, and none while the time is not known.
        """
        return self._windows.get(mc_group_id)

    def set_offset(self, offset: float | None, *, now: float) -> list[Action]:
        """Tell what the device's clock shows since it was set; return what that opens and closes.

        Args:
            offset: GPS seconds less the owner's seconds; 0 at the start, which is for an owner who
                keeps GPS time.  None while the device does not know the time.
            now: The owner's seconds.
        """
        self._windows.set_offset(offset, now=now)
        return self._follow(now)

    def open(self, phy: BytesLike) -> tuple[int, McFrame] | Drop:
        """Check and decrypt a frame; return its McGroupID and content, or why it was dropped."""
        if self.profile.wire_counter_at_start:
            self._take_wire_counters()
        found = open_any((group.receiver for group in self._groups.values()), phy)
        self._restore_limits()
        if isinstance(found, Drop):
            return found
        receiver, frame = found
        [index] = [at for at, group in self._groups.items() if group.receiver is receiver]
        identity = self._groups[index].identity
        for other in self._groups.values():  # the same key and address under another McGroupID
            if other.identity == identity:
                last = other.receiver.last_fcnt
                other.receiver.last_fcnt = frame.fcnt if last is None else max(last, frame.fcnt)
        return index, frame

    def store_counters(self) -> list[Action]:
        """Return what has to be stored before a frame that was opened is used."""
        actions: list[Action] = []
        for index, group in self._groups.items():
            last = group.receiver.last_fcnt
            if last is None or (group.stored is not None and last <= group.stored):
                continue
            group.stored = min(last + self.limits.fcnt_stretch - 1, MAX_FCNT)
            actions.append(Store(f"fcnt/{index}", f"{group.identity} {group.stored}"))
        return actions

    def execute(
        self, command: Command, *, now: float, mc_group_id: int | None = None, max_payload: int
    ) -> list[Answer | Action]:
        """Execute one command, in the order received.

        Args:
            command: A downlink of this package.
            now: The owner's seconds.
            mc_group_id: The group on whose address it arrived; None for unicast.
            max_payload: Octets the answer may have, identifier included.
        """
        return let_in(
            command,
            self.profile.package,
            lambda: self._execute(command, now, max_payload),
            unicast_only=mc_group_id is not None and self.profile.unicast_only_enforced,
        )

    def _execute(self, command: Command, now: float, max_payload: int) -> Results | None:
        unknown: Results = [Dropped(DropReason.UNSUPPORTED, type(command).__name__)]
        match command:
            case v1.McGroupStatusReq() if not self.profile.status_known:
                return unknown
            case v1.McGroupStatusReq(req_group_mask=mask):
                return [Answer(self._status(mask, max_payload))]
            case v1.McGroupSetupReq():
                return self._setup(command, now)
            case v1.McGroupDeleteReq(mc_group_id=index):
                return self._delete(index, now)
            case v1.McClassBSessionReq() if not self.profile.knows_class_b:
                return unknown
            case v1.McClassCSessionReq() | v1.McClassBSessionReq():
                return self._session(command, now)
            case _:
                return None

    @property
    def next_deadline(self) -> float | None:
        """When a window opens or closes, in the owner's seconds: :meth:`tick` does it then."""
        return self._windows.next_deadline

    def tick(self, *, now: float, useless: frozenset[int] = frozenset()) -> list[Answer | Action]:
        """Open and close what is due.  Harmless when called too early or too often.

        Args:
            now: The owner's seconds.
            useless: Groups that have nothing to tell any more; their windows do not open.
        """
        return [*self._follow(now, useless)]

    def leave(self, mc_group_id: int, *, now: float) -> list[Action]:
        """End a session early, for instance because the block is complete.

        Args:
            mc_group_id: The group.
            now: The owner's seconds.
        """
        return self._end(mc_group_id, now)

    def export(self) -> SavedState:
        """Return everything that has to survive a reset; there is no secret in it."""
        state: SavedState = {}
        for index, group in self._groups.items():
            state[f"group/{index}"] = group.setup.encode().hex()
            if group.receiver.last_fcnt is not None:
                state[f"fcnt/{index}"] = f"{group.identity} {group.receiver.last_fcnt}"
        for index, (identity, last) in self._former.items():
            state[f"former/{index}"] = f"{identity} {last}"
        for index in self._windows.groups:
            req = self._windows.request_of(index)
            assert req is not None  # there is a window
            state[f"window/{index}"] = req.encode().hex()
        return state | self._listened

    def restore(self, state: Mapping[str, object], *, now: float) -> None:
        """Take over, at the start, what was stored before a reset.

        Raises:
            FieldError: An entry cannot be read.
        """
        for index in range(self.limits.max_groups):
            former = saved_mark(state, f"former/{index}", MAX_FCNT)
            if former is not None:
                self._former[index] = former
            setup = saved_command(state, f"group/{index}", v1.McGroupSetupReq)
            if setup is None:
                continue
            if setup.mc_group_id != index or setup.min_mc_fcnt > setup.max_mc_fcnt:
                raise FieldError("saved state", f"group/{index}", setup, f"a set-up of {index}")
            group = self._groups[index] = self._new_group(setup)
            mark = saved_mark(state, f"fcnt/{index}", MAX_FCNT)
            if mark is not None and mark[0] == group.identity:
                group.receiver.last_fcnt = group.stored = mark[1]
            name = f"window/{index}"
            req = saved_command(state, name, *_SESSION_REQS)
            if req is not None and req.mc_group_id != index:
                raise FieldError("saved state", f"window/{index}", req, f"a window of {index}")
            if req is not None:
                self._windows.schedule(req, now=now)
        self._listened = self._windows.restore(state, range(_MAX_GROUPS), now=now)

    # Groups

    def _status(self, mask: int, max_payload: int) -> v1.McGroupStatusAns:
        listed = [index for index in sorted(self._groups) if mask >> index & 1]
        octets = min(max_payload, self.profile.status_octets)
        room = max(octets - 2, 0) // 5  # identifier and status; then 5 octets a group
        groups = tuple(
            v1.McGroup(mc_group_id=index, mc_addr=self._groups[index].receiver.mc_addr)
            for index in listed[:room]
        )
        return v1.McGroupStatusAns(
            ans_group_mask=sum(1 << group.mc_group_id for group in groups),
            nb_total_groups=len(self._groups),
            groups=groups,
        )

    def _setup(self, req: v1.McGroupSetupReq, now: float) -> list[Answer | Action]:
        index = req.mc_group_id
        refused = index >= self.limits.max_groups or req.min_mc_fcnt > req.max_mc_fcnt
        answer = Answer(v1.McGroupSetupAns(mc_group_id=index, id_error=refused))
        present = self._groups.get(index)
        kept = self.profile.keeps_group_while_running and index in self._windows.running
        if refused or kept or (present is not None and present.setup == req):
            return [answer]
        group = self._new_group(req)
        group.receiver.last_fcnt = group.stored = self._last_fcnt(group.identity)
        actions = self._end(index, now)
        if present is None or present.identity != group.identity:
            actions += self._remember(index)
        self._groups[index] = group
        actions.append(Store(f"group/{index}", req.encode().hex()))
        if group.stored is not None:
            actions.append(Store(f"fcnt/{index}", f"{group.identity} {group.stored}"))
        return [*actions, answer]

    def _new_group(self, req: v1.McGroupSetupReq) -> _Group:
        receiver = McReceiver.from_mc_key(
            unwrap_mc_key(self._mc_ke_key, req.mc_key_encrypted),
            req.mc_addr,
            min_mc_fcnt=req.min_mc_fcnt,
            max_mc_fcnt=req.max_mc_fcnt,
            max_inclusive=self.profile.max_inclusive,
        )
        octets = req.mc_addr.to_bytes(4, "little") + req.mc_key_encrypted
        return _Group(req, receiver, hashlib.sha256(octets).hexdigest()[:16])

    def _last_fcnt(self, identity: str) -> int | None:
        """Return the last counter accepted with a key and address, now or formerly."""
        seen = [last for one, last in self._former.values() if one == identity]
        seen += [
            group.receiver.last_fcnt
            for group in self._groups.values()
            if group.identity == identity and group.receiver.last_fcnt is not None
        ]
        return max(seen, default=None)

    def _remember(self, index: int) -> list[Action]:
        """Keep the last counter of a group that goes, without its key."""
        group = self._groups.get(index)
        if group is None or group.receiver.last_fcnt is None:
            return []
        self._former[index] = group.identity, group.receiver.last_fcnt
        return [Store(f"former/{index}", f"{group.identity} {group.receiver.last_fcnt}")]

    def _delete(self, index: int, now: float) -> list[Answer | Action]:
        undefined = index not in self._groups
        answer = v1.McGroupDeleteAns(mc_group_id=index, mc_group_undefined=undefined)
        if undefined:
            return [Answer(answer)]
        actions = [*self._end(index, now), *self._remember(index)]
        del self._groups[index]
        return [*actions, Store(f"group/{index}", None), Answer(answer)]

    # Windows

    def _end(self, index: int, now: float) -> list[Action]:
        if index not in self._windows.groups:
            return []
        stopped = self._windows.cancel(index, now=now)
        return [*stopped, Store(f"window/{index}", None), *self._store_listened()]

    def _follow(self, now: float, useless: frozenset[int] = frozenset()) -> list[Action]:
        """Let windows open and close, and forget those that are over.

        Receive time is set aside before the receiver opens, and what was not used of it comes back
        when the receiver is closed and a window that is over cannot open again.
        """
        before = set(self._windows.groups)
        actions = self._windows.tick(now=now, useless=useless)
        opened = [one for one in actions if isinstance(one, ListenClassB | ListenClassC)]
        for action in opened:
            if self.profile.forgets_counter:
                self._groups[action.mc_group_id].receiver.last_fcnt = None
        actions = [one for one in actions if not isinstance(one, ListenClassB | ListenClassC)]
        gone = sorted(before - set(self._windows.groups))
        actions += [Store(f"window/{index}", None) for index in gone]
        return [*actions, *self._store_listened(), *opened]

    def _store_listened(self) -> list[Action]:
        """Return what has changed of the receive time used and set aside."""
        stored, wanted = self._listened, self._windows.export()
        self._listened = wanted
        names = sorted(stored.keys() | wanted.keys())
        changed = [name for name in names if stored.get(name) != wanted.get(name)]
        return [Store(name, wanted.get(name)) for name in changed]

    def _session(self, req: SessionReq, now: float) -> list[Answer | Action]:
        if self.profile.low_dr_bits:
            req = dataclasses.replace(req, dr=req.dr & 15)
        listen, gps = self._windows.find(req, now=now), self._windows.gps(now)
        defined, delay = req.mc_group_id in self._groups, self.profile.answer_delay_seconds
        errors = session_errors(
            req, self.profile, self.limits, defined=defined, listen=listen, gps=gps
        )
        if errors:
            ended = self._end(req.mc_group_id, now) if self.profile.refusal_cancels else []
            return [*ended, Answer(refusal_ans(req, self.profile, errors), delay)]
        others = [at for at in self._windows.groups if at != req.mc_group_id]
        ended = [one for at in others if self.profile.one_window for one in self._end(at, now)]
        known = self._windows.request_of(req.mc_group_id)
        actions = [*ended, *self._windows.schedule(req, now=now)]
        if known != req:
            actions.append(Store(f"window/{req.mc_group_id}", req.encode().hex()))
        answer = acceptance_ans(req, self.profile, listen=listen, gps=gps)
        return [*actions, Answer(answer, delay), *self._follow(now)]

    # Counters of stacks that do it wrong

    def _take_wire_counters(self) -> None:
        """Have the first frame's 16 bits taken for the whole counter, for the time of one call."""
        for group in self._groups.values():
            receiver = group.receiver
            if receiver.last_fcnt is None:
                receiver.max_mc_fcnt = min(receiver.max_mc_fcnt, 0xFFFF)

    def _restore_limits(self) -> None:
        if self.profile.wire_counter_at_start:
            for group in self._groups.values():
                group.receiver.max_mc_fcnt = group.setup.max_mc_fcnt
