"""How answers become uplinks: together as far as they fit, never cut, in the order of the requests.

What does not fit into one uplink follows in the next (TS005, answers; the other documents leave it
open).  An answer with a delay of its own travels alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .actions import Action, Answer, Dropped, DropReason, Reboot, Send

__all__ = ["into_uplinks", "no_room", "within"]


def into_uplinks(
    results: Iterable[Answer | Action],
    *,
    fport: int,
    now: float,
    max_payload: int,
    one_command: bool = False,
) -> list[Action]:
    """Turn answers into uplinks: first what has to be done, then the uplinks, a reboot last.

    Args:
        results: What commands caused, in order.
        fport: The port they came on.
        now: The owner's seconds.
        max_payload: Octets an uplink can carry.
        one_command: Give every answer an uplink of its own.
    """
    actions: list[Action] = []
    sends: list[Action] = []
    reboots: list[Action] = []
    together = b""
    for result in results:
        if not isinstance(result, Answer):
            (reboots if isinstance(result, Reboot) else actions).append(result)
            continue
        octets = result.command.encode()
        if result.delay_seconds:
            sends.append(Send(fport, octets, now + result.delay_seconds))
            continue
        if together and (one_command or len(together) + len(octets) > max_payload):
            sends.append(Send(fport, together, now))
            together = b""
        together += octets
    if together:
        sends.append(Send(fport, together, now))
    return actions + sends + reboots


def no_room(answer: Answer) -> Dropped:
    """Say that an answer was left out although its command was executed."""
    return Dropped(DropReason.NO_ROOM, type(answer.command).__name__)


def within(results: Sequence[Answer | Action], octets: int) -> list[Answer | Action]:
    """Leave out the answers for which a stack's buffer has no room, and say so."""
    kept: list[Answer | Action] = []
    for result in results:
        if isinstance(result, Answer):
            size = len(result.command.encode())
            if size > octets:
                kept.append(no_room(result))
                continue
            octets -= size
        kept.append(result)
    return kept
