"""Checks of a class B and a class C session that overlap (TS005): there is one receiver.

The documents have no error bit for overlap and no rule for it.  What is asked for here is what a
server can plan with: every request is answered, and the session that runs keeps the receiver.  What
becomes of the other one, in what is left of its time, is the device's business.
"""

from __future__ import annotations

from typing import Final

from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from ..subject import ClassChanged
from .group import class_c_req, set_up_group
from .window import SessionReq, accept, class_b_req, class_changes, expect_window, session_answer

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_OPEN: Final = "TS005 leaves overlap open"
_CLASSES: Final = ("class-b", "class-c")


def _shown(changes: list[ClassChanged]) -> str:
    return ", ".join(f"{one.device_class} of group {one.mc_group_id}" for one in changes) or "none"


def _expect_first_alone(
    peer: DevicePeer, first: SessionReq, second: SessionReq, end: float
) -> None:
    """Fail unless both requests are answered, and the first session runs alone until *end*."""
    accept(peer, first)
    answer, _ = session_answer(peer, second)
    if answer is None or answer.mc_group_id != second.mc_group_id:
        raise Failed(f"expected an answer to the request that overlaps; came {answer or 'nothing'}")
    changes = class_changes(peer, end - 10.0)
    if len(changes) != 1 or changes[0].device_class == "A" or changes[0].mc_group_id == 1:
        raise Failed(f"expected the first session alone until its end; came {_shown(changes)}")
    rest = class_changes(peer, end + 300.0)
    if answer.errors and any(one.device_class != "A" for one in rest):
        raise Failed(f"the device refuses the second session, and listens: {_shown(rest)}")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-b-during-c",
    clause=_OPEN,
    severity=Severity.RECOMMENDED,
    needs=_CLASSES,
)
def class_b_during_c(peer: DevicePeer) -> None:
    """A class B session that begins in one of class C does not interrupt it.

    Its ping slots would be holes in the reception that the server has planned.  The request is
    answered like any other; no error bit is made for overlap.
    """
    set_up_group(peer, 0)
    set_up_group(peer, 1)
    first = class_c_req(peer, 0, start=120.0, time_out=11)
    second = class_b_req(peer, 1, periods=6, time_out=4)
    _expect_first_alone(peer, first, second, first.session_time + 2_048.0)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-during-b",
    clause=_OPEN,
    severity=Severity.RECOMMENDED,
    needs=_CLASSES,
)
def class_c_during_b(peer: DevicePeer) -> None:
    """A class C session that begins in one of class B does not end it.

    A receiver that is always on elsewhere hears neither beacon nor ping slot, and the device has
    lost the beacon when it comes back.
    """
    set_up_group(peer, 0)
    set_up_group(peer, 1)
    first = class_b_req(peer, 0, periods=5, time_out=4)
    second = class_c_req(peer, 1, start=1_000.0, time_out=11)
    _expect_first_alone(peer, first, second, first.session_time + 2_048.0)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-replaces-b",
    clause="TS005, state machine: one session for each group",
    severity=Severity.RECOMMENDED,
    needs=_CLASSES,
)
def class_c_replaces_b(peer: DevicePeer) -> None:
    """A class C request replaces the class B session of the same group, not begun yet.

    The server has changed its plan; a group has one session, whichever class it is of.
    """
    set_up_group(peer, 0)
    accept(peer, class_b_req(peer, 0, periods=8, time_out=1))
    request = class_c_req(peer, 0, start=600.0, time_out=10)
    accept(peer, request)
    start = float(request.session_time)
    expect_window(peer, "C", start, start + 1_024.0)
