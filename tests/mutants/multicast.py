"""Mutants of multicast setup (TS005) and of the frames of a group."""

from __future__ import annotations

import dataclasses
from typing import Any

from lorafuota import crypto, link
from lorafuota.crypto import mc_frame_mic
from lorafuota.errors import IntegrityError
from lorafuota.link import McReceiver
from lorafuota.multicastsetup import v1, v2
from lorafuota.session import multicast as session
from lorafuota.session import windows
from lorafuota.session.actions import Answer, ListenClassB, ListenClassC, Store
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice
from lorafuota.session.multicast import McDevice
from lorafuota.session.windows import Windows
from lorafuota.types import McKey

from .mutant import SMALL, TINY, V1, Mutant, around, attribute, flags, together


def _same_again(wire: int, *, last: int | None, min_mc_fcnt: int) -> int:
    lowest = min_mc_fcnt if last is None else max(min_mc_fcnt, last)
    candidate = lowest & ~0xFFFF | wire
    return candidate if candidate >= lowest else candidate + 0x10000


def _any_new(wire: int, *, last: int | None, min_mc_fcnt: int) -> int:
    lowest = 0 if last is None else last + 1
    candidate = lowest & ~0xFFFF | wire
    return candidate if candidate >= lowest else candidate + 0x10000


def _lower_too(wire: int, *, last: int | None, min_mc_fcnt: int) -> int:
    if last is not None and wire == last & 0xFFFF:
        return last + 0x10000
    return min_mc_fcnt & ~0xFFFF | wire


def _no_carry(wire: int, *, last: int | None, min_mc_fcnt: int) -> int:
    lowest = min_mc_fcnt if last is None else max(min_mc_fcnt, last + 1)
    candidate = min_mc_fcnt & ~0xFFFF | wire
    return candidate if candidate >= lowest else 1 << 40


def _max_gap(wire: int, *, last: int | None, min_mc_fcnt: int) -> int:
    candidate = _REAL_CANDIDATE(wire, last=last, min_mc_fcnt=min_mc_fcnt)
    return candidate if last is None or candidate - last <= 16_384 else 1 << 40


_REAL_CANDIDATE = link.candidate_fcnt


def _max_ignored(real: Any, wire: int, **options: Any) -> range:
    found: range = real(wire, **{**options, "max_mc_fcnt": 0xFFFF_FFFF})
    return found


def _three_octets(key: Any, message: bytes, *, mc_addr: Any, fcnt: int, mic: bytes) -> None:
    if mc_frame_mic(key, message, mc_addr=mc_addr, fcnt=fcnt)[1:] != mic[1:]:
        raise IntegrityError("multicast frame", "the MIC does not fit")


def _counted_first(real: Any, self: McReceiver, phy: bytes) -> Any:
    opened = real(self, phy)
    if isinstance(opened, link.Drop):
        wire = int.from_bytes(phy[6:8], "little")
        last = self.last_fcnt
        self.last_fcnt = _REAL_CANDIDATE(wire, last=last, min_mc_fcnt=self.min_mc_fcnt)
    return opened


def _first_drop_without(*ignored: link.Drop) -> Any:
    def first_drop(real: Any, phy: bytes, addresses: Any) -> Any:
        drop = real(phy, addresses)
        return None if drop in ignored else drop

    return lambda: around(link, "_first_drop", first_drop)


def _fopts_skipped(real: Any, self: McReceiver, phy: bytes) -> Any:
    """MAC commands are cut out, and the frame is taken."""
    opened = real(self, phy)
    size = phy[5] & 15
    if size and isinstance(opened, link.McFrame):
        return dataclasses.replace(opened, fport=201, payload=b"\x01\x01")
    return opened


def _answers(change: Any) -> Any:
    """Answers are changed on their way."""

    def execute(real: Any, self: McDevice, *args: Any) -> Any:
        return [
            dataclasses.replace(one, command=change(one.command))
            if isinstance(one, Answer)
            else one
            for one in real(self, *args)
        ]

    return lambda: around(McDevice, "_execute", execute)


def _other_id(command: Any) -> Any:
    if not hasattr(command, "mc_group_id"):
        return command
    return dataclasses.replace(command, mc_group_id=0)


def _never_undefined(command: Any) -> Any:
    if isinstance(command, v1.McGroupDeleteAns):
        return dataclasses.replace(command, mc_group_undefined=False)
    return command


def _total_of_listed(command: Any) -> Any:
    if isinstance(command, v1.McGroupStatusAns):
        return dataclasses.replace(command, nb_total_groups=len(command.groups))
    return command


def _time_to_start(new: Any) -> Any:
    def change(command: Any) -> Any:
        seconds = getattr(command, "time_to_start", None)
        if seconds is None:
            return command
        return dataclasses.replace(command, time_to_start=new(seconds))

    return _answers(change)


def _setup_keeps_key(real: Any, self: McDevice, req: Any, now: float) -> Any:
    old = self._groups.get(req.mc_group_id)
    if old is not None:
        req = dataclasses.replace(req, mc_key_encrypted=old.setup.mc_key_encrypted)
    return real(self, req, now)


def _setup_keeps_group(real: Any, self: McDevice, req: Any, now: float) -> Any:
    if req.mc_group_id in self._groups:
        return [Answer(v1.McGroupSetupAns(mc_group_id=req.mc_group_id, id_error=False))]
    return real(self, req, now)


def _any_id(real: Any, self: McDevice, req: Any, now: float) -> Any:
    if req.mc_group_id >= self.limits.max_groups:
        return [Answer(v1.McGroupSetupAns(mc_group_id=req.mc_group_id, id_error=False))]
    return real(self, req, now)


def _refused_deletes(real: Any, self: McDevice, req: Any, now: float) -> Any:
    if req.min_mc_fcnt > req.max_mc_fcnt:
        self._groups.pop(req.mc_group_id, None)
    return real(self, req, now)


def _max_below_min(real: Any, self: McDevice, req: Any, now: float) -> Any:
    low, high = sorted((req.min_mc_fcnt, req.max_mc_fcnt))
    return real(self, dataclasses.replace(req, min_mc_fcnt=low, max_mc_fcnt=high), now)


def _refused_blocks(real: Any, self: McDevice, req: Any, now: float) -> Any:
    blocked: set[int] = self.__dict__.setdefault("_blocked", set())
    if req.min_mc_fcnt > req.max_mc_fcnt and req.mc_group_id not in self._groups:
        blocked.add(req.mc_group_id)
    if req.mc_group_id in blocked:
        return [Answer(v1.McGroupSetupAns(mc_group_id=req.mc_group_id, id_error=True))]
    return real(self, req, now)


def _delete_nothing(real: Any, self: McDevice, index: int, now: float) -> Any:
    undefined = index not in self._groups
    return [Answer(v1.McGroupDeleteAns(mc_group_id=index, mc_group_undefined=undefined))]


def _delete_all(real: Any, self: McDevice, index: int, now: float) -> Any:
    actions = real(self, index, now)
    self._groups.clear()
    return actions


def _all_listed(real: Any, self: McDevice, mask: int, room: int) -> Any:
    return real(self, 15, room)


def _no_window_end(real: Any, self: McDevice, index: int, now: float) -> Any:
    return []


def _errors_without(*ignored: v2.SessionError) -> Any:
    def errors(real: Any, *args: Any, **options: Any) -> Any:
        found = real(*args, **options)
        for bit in ignored:
            found &= ~bit
        return found

    return lambda: around(session, "session_errors", errors)


def _swapped_errors(real: Any, *args: Any, **options: Any) -> Any:
    found = int(real(*args, **options))
    return v2.SessionError(found & ~3 | (found & 1) << 1 | (found & 2) >> 1)


def _one_error(real: Any, *args: Any, **options: Any) -> Any:
    found = int(real(*args, **options))
    return v2.SessionError(found & -found)


def _window(change: Any) -> Any:
    def window(real: Any, req: Any, *, near: float) -> Any:
        return change(real(req, near=near), req)

    return lambda: around(windows, "session_window", window)


def _shifted(seconds: float) -> Any:
    return _window(
        lambda one, req: dataclasses.replace(one, start=one.start + seconds, end=one.end + seconds)
    )


def _twice_as_long(one: Any, req: Any) -> Any:
    return dataclasses.replace(one, end=one.start + 2 * (one.end - one.start))


def _in_seconds(one: Any, req: Any) -> Any:
    return dataclasses.replace(one, end=one.start + (1 << req.time_out))


def _periodicity_leaks(one: Any, req: Any) -> Any:
    if isinstance(req, v1.McClassBSessionReq):
        time_out = req.time_out | (req.periodicity & 1) << 4
        return dataclasses.replace(one, end=one.start + 128.0 * (1 << time_out))
    return one


def _for_ever(one: Any, req: Any) -> Any:
    return dataclasses.replace(one, end=one.start + 1e6)


def _clock_ignored(real: Any, self: Windows, offset: float | None, *, now: float) -> None:
    kept = {index: one.listen for index, one in self._windows.items()}
    real(self, offset, now=now)
    for index, listen in kept.items():
        if listen is not None and offset is not None:
            moved = offset
            self._windows[index].listen = dataclasses.replace(
                listen, start=listen.start + moved, end=listen.end + moved
            )


def _without(prefix: str) -> Any:
    def restore(real: Any, self: McDevice, state: Any, *, now: float) -> None:
        real(self, {k: v for k, v in state.items() if not k.startswith(prefix)}, now=now)

    return lambda: around(McDevice, "restore", restore)


def _delete_not_stored(real: Any, self: McDevice, index: int, now: float) -> Any:
    return [one for one in real(self, index, now) if not isinstance(one, Store)]


def _unknown_time_guessed(real: Any, req: Any, profile: Any, *, listen: Any, gps: Any) -> Any:
    answer = real(req, profile, listen=listen, gps=gps)
    if answer.time_to_start == 0xFFFFFF:
        return dataclasses.replace(answer, time_to_start=600)
    return answer


def _stays_up(real: Any, self: FuotaDevice, *, now: float) -> Any:
    with attribute(self, "_leaves", False):
        return real(self, now=now)


def _spent_for_ever(self: FragDevice) -> frozenset[int]:
    kept: set[int] = self.__dict__.setdefault("_spent", set())
    kept.update(_REAL_SPENT(self))
    return frozenset(kept)


def _spent_by_one(self: FragDevice) -> frozenset[int]:
    masks = [one.setup.mc_group_bit_mask for one in self._sessions.values() if one.ended]
    return frozenset(index for index in range(4) for mask in masks if mask >> index & 1)


def _each_class_alone(real: Any, one: Any, other: Any) -> bool:
    return type(one) is not type(other) or bool(real(one, other))


def _c_takes_over(real: Any, self: Windows, index: int, window: Any, gps: float, *rest: Any) -> Any:
    """A class C session that begins ends those of class B."""
    listen, actions = window.listen, []
    if isinstance(listen, ListenClassC) and gps >= listen.start:
        for at in self.running:
            if at != index and isinstance(self.get(at), ListenClassB):
                actions += self._end(at)
    return [*actions, *real(self, index, window, gps, *rest)]


def _b_gives_way(real: Any, self: Windows, wanted: Any) -> Any:
    is_c = isinstance(wanted, ListenClassC)
    return [one for one in real(self, wanted) if not (is_c and isinstance(one, ListenClassB))]


def _overlap_unanswered(real: Any, self: McDevice, req: Any, now: float) -> Any:
    others = [self._windows.request_of(at) for at in self._windows.groups if at != req.mc_group_id]
    return real(self, req, now) if all(type(one) is type(req) for one in others) else []


def _first_class_stays(real: Any, self: Windows, req: Any, **options: Any) -> Any:
    known = self.request_of(req.mc_group_id)
    return [] if known and type(known) is not type(req) else real(self, req, **options)


def _receiver_left_on(real: Any, self: Windows, req: Any, **options: Any) -> Any:
    """Nobody closes the window that runs."""
    ran = req.mc_group_id in self.running
    actions = real(self, req, **options)
    return [] if ran else actions


def _running_stays(real: Any, self: Windows, req: Any, **options: Any) -> Any:
    return [] if req.mc_group_id in self.running else real(self, req, **options)


_REAL_SPENT: Any = FragDevice.spent_groups.fget  # type: ignore[attr-defined]

_FRAME = "ts005-v2/frame-"
_FCNT = "ts005-v2/fcnt-"

MUTANTS = [
    # counters
    Mutant(
        "fcnt-twice",
        "The last counter is accepted again.",
        _FCNT + "repeated",
        lambda: attribute(link, "candidate_fcnt", _same_again),
    ),
    Mutant(
        "fcnt-lower",
        "A counter below the last one is accepted.",
        _FCNT + "lower",
        lambda: attribute(link, "candidate_fcnt", _lower_too),
    ),
    Mutant(
        "fcnt-min-ignored",
        "minMcFCount is not looked at.",
        _FCNT + "below-min",
        lambda: attribute(link, "candidate_fcnt", _any_new),
    ),
    Mutant(
        "fcnt-max-ignored",
        "maxMcFCount is not looked at.",
        _FCNT + "above-max",
        lambda: around(link, "fcnts_to_try", _max_ignored),
    ),
    Mutant(
        "fcnt-max-inclusive",
        "Version 1 accepts maxMcFCount itself.",
        "ts005-v1/fcnt-at-max",
        lambda: flags(V1, multicast={"max_inclusive": True}),
        V1,
    ),
    Mutant(
        "fcnt-max-exclusive",
        "Version 2 drops maxMcFCount itself.",
        _FCNT + "at-max",
        lambda: flags(multicast={"max_inclusive": False}),
    ),
    Mutant(
        "fcnt-gap",
        "A gap of more than 16384 is no frame of the group.",
        _FCNT + "gap",
        lambda: attribute(link, "candidate_fcnt", _max_gap),
    ),
    Mutant(
        "fcnt-16-bits",
        "The first frame's 16 bits are the whole counter.",
        _FCNT + "above-16-bits",
        lambda: flags(multicast={"wire_counter_at_start": True}),
    ),
    Mutant(
        "fcnt-no-carry",
        "The upper half stays that of minMcFCount.",
        _FCNT + "carry",
        lambda: attribute(link, "candidate_fcnt", _no_carry),
    ),
    Mutant(
        "fcnt-in-ram",
        "The counter is lost in a reset.",
        _FCNT + "survives-reset",
        lambda: around(McDevice, "store_counters", lambda *args: []),
    ),
    Mutant(
        "fcnt-new-session",
        "The counter is forgotten at each session start.",
        _FCNT + "outlives-window",
        lambda: flags(multicast={"forgets_counter": True}),
    ),
    Mutant(
        "fcnt-new-delete",
        "The counter is forgotten with a delete.",
        _FCNT + "outlives-delete",
        lambda: around(McDevice, "_last_fcnt", lambda *args: None),
    ),
    # frames
    Mutant(
        "frame-mic-unchecked",
        "The MIC of a frame is not looked at.",
        _FRAME + "wrong-mic",
        lambda: attribute(crypto, "verify_mc_frame_mic", lambda *args, **options: None),
    ),
    Mutant(
        "frame-mic-3-octets",
        "Three octets of the MIC are compared.",
        _FRAME + "first-mic-octet",
        lambda: attribute(crypto, "verify_mc_frame_mic", _three_octets),
    ),
    Mutant(
        "frame-counted-first",
        "The counter moves before the MIC is looked at.",
        _FRAME + "wrong-mic",
        lambda: around(McReceiver, "_authenticate", _counted_first),
    ),
    Mutant(
        "frame-ack",
        "A frame with the ACK bit is taken.",
        _FRAME + "ack",
        _first_drop_without(link.Drop.ACK),
    ),
    Mutant(
        "frame-fopts",
        "A frame with MAC commands is taken.",
        _FRAME + "fopts",
        lambda: together(
            _first_drop_without(link.Drop.FOPTS)(),
            around(McReceiver, "_authenticate", _fopts_skipped),
        ),
    ),
    Mutant(
        "frame-type",
        "Any type of frame is taken.",
        _FRAME + "confirmed",
        _first_drop_without(link.Drop.MHDR),
    ),
    Mutant(
        "frame-adr",
        "A frame with the ADR bit is dropped.",
        _FRAME + "adr",
        lambda: around(
            link,
            "_first_drop",
            lambda real, phy, addresses: (
                link.Drop.LENGTH if len(phy) > 5 and phy[5] & 0x80 else real(phy, addresses)
            ),
        ),
    ),
    Mutant(
        "frame-fpending",
        "A frame with the FPending bit is dropped.",
        _FRAME + "fpending",
        lambda: around(
            link,
            "_first_drop",
            lambda real, phy, addresses: (
                link.Drop.LENGTH if len(phy) > 5 and phy[5] & 0x10 else real(phy, addresses)
            ),
        ),
    ),
    Mutant(
        "wrong-mc-ke-key",
        "McKEKey is all zeros.",
        "ts005-v2/setup-0",
        lambda: flags(multicast={"zero_mc_ke_key": True}),
    ),
    Mutant(
        "mc-key-not-unwrapped",
        "McKey is used as it comes, wrapped.",
        "ts005-v2/setup-0",
        lambda: attribute(session, "unwrap_mc_key", lambda key, octets: McKey(bytes(octets))),
    ),
    # groups
    Mutant(
        "id-0-answered", "Answers name group 0 always.", "ts005-v2/setup-1", _answers(_other_id)
    ),
    Mutant(
        "any-group-id",
        "A McGroupID without a place is confirmed.",
        "ts005-v2/group-2-not-supported",
        lambda: around(McDevice, "_setup", _any_id),
        SMALL,
    ),
    Mutant(
        "setup-keeps-key",
        "A new set-up keeps the old key.",
        "ts005-v2/setup-same-address",
        lambda: around(McDevice, "_setup", _setup_keeps_key),
    ),
    Mutant(
        "setup-keeps-group",
        "A group that is set up cannot be replaced.",
        "ts005-v2/setup-replaces",
        lambda: around(McDevice, "_setup", _setup_keeps_group),
    ),
    Mutant(
        "setup-not-while-running",
        "A set-up in an open window is answered and ignored.",
        "ts005-v2/setup-while-running",
        lambda: flags(multicast={"keeps_group_while_running": True}),
    ),
    Mutant(
        "setup-min-above-max",
        "minMcFCount and maxMcFCount are put in order.",
        "ts005-v2/setup-min-above-max",
        lambda: around(McDevice, "_setup", _max_below_min),
    ),
    Mutant(
        "refusal-blocks",
        "A set-up that is refused leaves its McGroupID blocked.",
        "ts005-v2/setup-min-above-max",
        lambda: around(McDevice, "_setup", _refused_blocks),
    ),
    Mutant(
        "setup-refused-deletes",
        "A refused set-up deletes the group.",
        "ts005-v2/setup-refused-keeps",
        lambda: around(McDevice, "_setup", _refused_deletes),
    ),
    Mutant(
        "group-delete-nothing",
        "A delete is confirmed and not done.",
        "ts005-v2/delete",
        lambda: around(McDevice, "_delete", _delete_nothing),
    ),
    Mutant(
        "group-delete-all",
        "A delete takes all groups.",
        "ts005-v2/setup-keeps-others",
        lambda: around(McDevice, "_delete", _delete_all),
    ),
    Mutant(
        "group-never-undefined",
        "A delete never says that there was no group.",
        "ts005-v2/delete-undefined",
        _answers(_never_undefined),
    ),
    Mutant(
        "status-unasked",
        "Groups are listed that nobody asked for.",
        "ts005-v2/status-mask",
        lambda: around(McDevice, "_status", _all_listed),
    ),
    Mutant(
        "status-total",
        "NbTotalGroups counts the groups listed.",
        "ts005-v2/status-mask",
        _answers(_total_of_listed),
    ),
    Mutant(
        "status-two-groups",
        "The status has room for two groups.",
        "ts005-v2/status-all",
        lambda: flags(multicast={"status_octets": 15}),
    ),
    Mutant(
        "status-unknown",
        "McGroupStatusReq is not known.",
        "ts005-v2/status-empty",
        lambda: flags(multicast={"status_known": False}),
    ),
    Mutant(
        "groups-in-ram",
        "Groups are lost in a reset.",
        "ts005-v2/group-survives-reset",
        _without("group/"),
    ),
    Mutant(
        "delete-in-ram",
        "A deleted group comes back with a reset.",
        "ts005-v2/deleted-survives-reset",
        lambda: around(McDevice, "_delete", _delete_not_stored),
    ),
    Mutant(
        "groups-by-multicast",
        "Requests are taken by multicast.",
        "ts005-v2/setup-by-multicast",
        lambda: flags(multicast={"unicast_only_enforced": False}),
    ),
    # windows
    Mutant(
        "undefined-unchecked",
        "A session of an undefined group is accepted.",
        "ts005-v2/class-c-undefined",
        _errors_without(v2.SessionError.MC_GROUP_UNDEFINED),
    ),
    Mutant(
        "undefined-all-bits",
        "An undefined group sets all error bits.",
        "ts005-v2/class-b-undefined",
        lambda: flags(multicast={"undefined_sets_all": True}),
    ),
    Mutant(
        "frequency-unchecked",
        "Any frequency is accepted.",
        "ts005-v2/class-c-frequency",
        _errors_without(v2.SessionError.FREQ_ERROR),
    ),
    Mutant(
        "data-rate-unchecked",
        "Any data rate is accepted.",
        "ts005-v2/class-b-data-rate",
        _errors_without(v2.SessionError.DR_ERROR),
    ),
    Mutant(
        "data-rate-4-bits",
        "Four bits of DR are looked at.",
        "ts005-v2/class-c-data-rate",
        lambda: flags(multicast={"low_dr_bits": True}),
    ),
    Mutant(
        "errors-swapped",
        "FreqError and DRError are swapped.",
        "ts005-v2/class-c-frequency",
        lambda: around(session, "session_errors", _swapped_errors),
    ),
    Mutant(
        "one-error",
        "The first error is told alone.",
        "ts005-v2/class-c-all-bits",
        lambda: around(session, "session_errors", _one_error),
    ),
    Mutant(
        "start-never-missed",
        "A start that is past is accepted in version 2.",
        "ts005-v2/class-c-missed",
        _errors_without(v2.SessionError.START_MISSED),
    ),
    Mutant(
        "over-accepted",
        "A session that is over is accepted in version 1.",
        "ts005-v1/class-c-missed",
        _errors_without(v2.SessionError.MC_GROUP_UNDEFINED),
        V1,
    ),
    Mutant(
        "time-to-start-zero",
        "TimeToStart is 0 always.",
        "ts005-v2/class-c-answer",
        _time_to_start(lambda seconds: 0),
    ),
    Mutant(
        "time-to-start-late",
        "TimeToStart is ten seconds too long.",
        "ts005-v2/class-c-answer",
        _time_to_start(lambda seconds: min(seconds + 10, 0xFFFFFF)),
    ),
    Mutant(
        "time-to-start-cut",
        "TimeToStart is cut to 24 bits.",
        "ts005-v2/class-c-far",
        lambda: flags(multicast={"truncates_time_to_start": True}),
    ),
    Mutant(
        "time-guessed",
        "Without the time TimeToStart is guessed.",
        "ts005-v2/class-c-time-unknown",
        lambda: around(session, "acceptance_ans", _unknown_time_guessed),
    ),
    Mutant(
        "refusal-cancels",
        "A refused request cancels the session that is scheduled.",
        "ts005-v2/class-c-refused",
        lambda: flags(multicast={"refusal_cancels": True}),
    ),
    Mutant(
        "one-window",
        "A session of another group cancels the first.",
        "ts005-v2/class-c-other-group",
        lambda: flags(multicast={"one_window": True}),
    ),
    Mutant(
        "window-early",
        "Windows begin a minute early.",
        "ts005-v2/class-c-time-out-8",
        _shifted(-60.0),
    ),
    Mutant(
        "window-late",
        "Windows begin three seconds late.",
        "ts005-v2/class-c-time-out-8",
        _shifted(3.0),
    ),
    Mutant(
        "window-twice",
        "Windows last 2**(TimeOut + 1).",
        "ts005-v2/class-c-time-out-8",
        _window(_twice_as_long),
    ),
    Mutant(
        "class-b-seconds",
        "A class B session lasts seconds.",
        "ts005-v2/class-b-time-out-1",
        _window(_in_seconds),
    ),
    Mutant(
        "class-b-leak",
        "Periodicity leaks into TimeOut.",
        "ts005-v2/class-b-time-out-1",
        _window(_periodicity_leaks),
    ),
    Mutant(
        "class-b-as-c",
        "Class B is run as class C.",
        "ts005-v1/class-b-not-c",
        lambda: flags(V1, multicast={"class_b_as_c": True}),
        V1,
    ),
    Mutant(
        "class-b-unknown",
        "Class B is not known.",
        "ts005-v2/class-b-answer",
        lambda: flags(multicast={"knows_class_b": False}),
    ),
    Mutant(
        "window-for-ever",
        "A window never closes.",
        "ts005-v2/class-c-time-out-2",
        _window(_for_ever),
    ),
    Mutant(
        "window-after-delete",
        "A delete leaves the window.",
        "ts005-v2/class-c-delete-running",
        lambda: around(McDevice, "_end", _no_window_end),
    ),
    Mutant(
        "window-not-moved",
        "A correction of the clock does not move windows.",
        "ts005-v2/class-c-clock-moves",
        lambda: around(Windows, "set_offset", _clock_ignored),
    ),
    Mutant(
        "window-in-ram",
        "A scheduled window is lost in a reset.",
        "ts005-v2/class-c-survives-reset",
        _without("window/"),
    ),
    Mutant(
        "window-after-block",
        "A window goes on after the block is complete.",
        "ts005-v2/class-c-block-complete",
        lambda: around(
            FuotaDevice,
            "__init__",
            lambda real, self, **options: real(self, **{**options, "leaves_when_complete": False}),
        ),
    ),
    Mutant(
        "window-for-nothing",
        "A window opens for a block that is complete already, and stays open.",
        "ts005-v2/class-c-already-complete",
        lambda: around(FuotaDevice, "tick", _stays_up),
    ),
    Mutant(
        "spent-for-ever",
        "A group that had nothing more to say once is never listened to again.",
        "ts005-v2/class-c-next-block",
        lambda: attribute(FragDevice, "spent_groups", property(_spent_for_ever)),
    ),
    Mutant(
        "spent-by-one",
        "A window ends with the first of two blocks.",
        "ts005-v1/class-c-other-block",
        lambda: attribute(FragDevice, "spent_groups", property(_spent_by_one)),
        V1,
    ),
    Mutant(
        "two-receivers",
        "Sessions on two frequencies run at one time.",
        "ts005-v2/class-c-overlap-other",
        lambda: around(Windows, "_in_the_way", lambda *args: []),
    ),
    Mutant(
        "classes-apart",
        "Sessions of class B and C run at one time.",
        "ts005-v2/class-b-during-c",
        lambda: around(windows, "_compatible", _each_class_alone),
    ),
    Mutant(
        "class-c-takes-over",
        "A class C session ends one of class B that runs.",
        "ts005-v2/class-c-during-b",
        lambda: together(
            around(Windows, "_in_the_way", _b_gives_way), around(Windows, "_open", _c_takes_over)
        ),
    ),
    Mutant(
        "overlap-unanswered",
        "A request beside a session of the other class is not answered.",
        "ts005-v1/class-b-during-c",
        lambda: around(McDevice, "_session", _overlap_unanswered),
        V1,
    ),
    Mutant(
        "receiver-left-on",
        "A later session of the group leaves the receiver on from the one that runs.",
        "ts005-v2/class-c-replaces-running",
        lambda: around(Windows, "schedule", _receiver_left_on),
    ),
    Mutant(
        "running-stays",
        "A later session of the group is accepted, and the one that runs goes on instead.",
        "ts005-v1/class-c-replaces-running",
        lambda: around(Windows, "schedule", _running_stays),
        V1,
    ),
    Mutant(
        "first-class-stays",
        "A request of the other class does not replace the session of its group.",
        "ts005-v2/class-c-replaces-b",
        lambda: around(Windows, "schedule", _first_class_stays),
    ),
    Mutant(
        "any-group-id",
        "A McGroupID without a place is confirmed.",
        "ts005-v1/group-1-not-supported",
        lambda: around(McDevice, "_setup", _any_id),
        TINY,
    ),
]
