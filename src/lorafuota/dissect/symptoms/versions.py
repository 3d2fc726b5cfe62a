"""Version 1 against version 2: set-ups the device cannot read, and answers in the other order.

Nothing in a payload says its version, and most of it parses in both.  What gives a mix away is
what is left over: six octets of a version 2 set-up become commands nobody sent, a version 1 set-up
is too short, and a status answer in the other order tells of more fragments than there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...fragmentation import v1, v2
from ...package import PackageVersionAns, PackageVersionReq
from ...types import DOWNLINK
from ...wire import Command
from ..case import Case, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..transfer import Transfer
from ..words import count, times

__all__ = ["face", "look"]


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Hold every transfer's set-up and status answers against both versions."""
    transfers = list(transfers)
    readers = {one.dev_eui for one in transfers if _reads_all(one)}
    for one in transfers:
        if one.setup_version == 2:
            yield from _v2_setup(one, reads_all=one.dev_eui in readers)
        else:
            yield from _v1_setup(one)


def face(setup: v2.FragSessionSetupReq) -> str:
    """Say what a version 1 device makes of a version 2 set-up, after the ten octets it expects."""
    octets = setup.encode()
    read = v1.PACKAGE.parse(octets, DOWNLINK)[1:]
    words = [_word(one) if isinstance(one, Command) else _rest(one.cid) for one in read]
    return f"{octets[11:].hex(' ')} is read as {', then '.join(words)}"


def _word(command: Command) -> str:
    return f"{type(command).__name__} ({command.encode().hex(' ')})"


def _rest(cid: int) -> str:
    known = v1.PACKAGE.find(DOWNLINK, cid)
    if known is None:
        return f"the unknown command 0x{cid:02x}"
    return f"{known.__name__} (0x{cid:02x}) with too few octets"


def _v2_setup(one: Transfer, *, reads_all: bool) -> Iterator[Finding]:
    told = one.device.told.get("fragmentation")
    phantoms = list(_phantoms(one))
    if (told is not None and told.what == 2) or (told is None and reads_all):
        yield from _v1_order(one, Weight.STRONG)
        return
    evidence = []
    if told is not None and told.what == 1:
        text = "the device told that it has version 1 of TS004 (PackageVersion 1)"
        evidence.append(Evidence(Weight.STRONG, text, (told.at,)))
    evidence += phantoms
    if not one.answers and _speaks_otherwise(one):
        text = f"the set-up of 17 octets was sent {times(one.setups)} and never answered"
        evidence.append(Evidence(_unanswered(one), text, (one.setup.at,)))
    order = _order_votes(one, 1)
    if order and not one.reports:
        text = f"{count(len(order), 'status answer')} can be read in version 1's order only"
        evidence.append(Evidence(Weight.STRONG, text, tuple(each.at for each in order)))
    if not evidence:
        yield from _v1_order(one, Weight.FAIR)
        return
    assert isinstance(one.req, v2.FragSessionSetupReq)
    text = f"a version 1 device stops after 11 octets: {face(one.req)}"
    evidence.append(Evidence(Weight.HINT, text, (one.setup.at,)))
    says = (
        "the server sends a set-up of version 2 (17 octets) to a device that reads version 1: "
        "SessionCnt and MIC become further commands"
    )
    yield Finding(Symptom.V2_SETUP_TO_V1, says, tuple(evidence), one.dev_eui)


def _v1_setup(one: Transfer) -> Iterator[Finding]:
    told = one.device.told.get("fragmentation")
    if told is not None and told.what == 1:
        return
    evidence = []
    if told is not None and told.what == 2:
        text = "the device told that it has version 2 of TS004 (PackageVersion 2)"
        evidence.append(Evidence(Weight.STRONG, text, (told.at,)))
    if not one.answers and _speaks_otherwise(one):
        text = f"the set-up of 11 octets was sent {times(one.setups)} and never answered"
        evidence.append(Evidence(_unanswered(one), text, (one.setup.at,)))
    absent = [each for each in one.statuses if each.what == b"\x04"]
    if absent:
        text = "the device answers 01 04, which version 1 does not have: no such session"
        evidence.append(Evidence(Weight.STRONG, text, (absent[0].at,)))
    order = _order_votes(one, 2)
    if order and not absent:
        text = f"{count(len(order), 'status answer')} can be read in version 2's order only"
        evidence.append(Evidence(Weight.FAIR, text, tuple(each.at for each in order)))
    if evidence:
        says = (
            "the server sends a set-up of version 1 (11 octets) to a device that reads version 2: "
            "too short for it by 6 octets, so it is dropped"
        )
        yield Finding(Symptom.V1_SETUP_TO_V2, says, tuple(evidence), one.dev_eui)


def _v1_order(one: Transfer, weight: Weight) -> Iterator[Finding]:
    order = _order_votes(one, 1)
    if not order:
        return
    example = f"01 {order[0].what.hex(' ')}"
    text = f"{example} and {len(order) - 1} more" if len(order) > 1 else example
    evidence = [
        Evidence(
            weight,
            f"status answers that version 2's order cannot mean, and version 1's can: {text}",
            tuple(each.at for each in order),
        )
    ]
    if one.reports:
        text = "the device speaks version 2 otherwise: it sends FragDataBlockReceivedReq"
        evidence.append(Evidence(Weight.FAIR, text, (one.reports[0].at,)))
    says = (
        "the device speaks version 2 and answers FragSessionStatusReq in version 1's order, "
        "the status octet last"
    )
    yield Finding(Symptom.STATUS_IN_V1_ORDER, says, tuple(evidence), one.dev_eui)


def _order_votes(one: Transfer, order: int) -> list[Seen[bytes]]:
    """Return the status answers that make sense in that order and not in the other."""
    votes = [(each, one.makes_sense(each)) for each in one.statuses]
    if any(sense == {3 - order} for _, sense in votes):
        return []
    return [each for each, sense in votes if sense == {order}]


def _reads_all(one: Transfer) -> bool:
    """Whether a device that took a version 2 set-up found no further commands in it."""
    return one.setup_version == 2 and bool(_wanted(one) and one.answers) and not [*_phantoms(one)]


def _wanted(one: Transfer) -> tuple[int, ...]:
    """Return what a version 1 device would answer at once to the last six octets: identifiers."""
    kinds: dict[type[Command], int] = {
        PackageVersionReq: PackageVersionAns.CID,
        v1.FragSessionDeleteReq: v1.FragSessionDeleteAns.CID,
    }
    read = v1.PACKAGE.parse(one.req.encode(), DOWNLINK)[1:]
    found = [kinds.get(type(each)) for each in read if isinstance(each, Command)]
    return tuple(cid for cid in found if cid is not None)


def _phantoms(one: Transfer) -> Iterator[Evidence]:
    """Find answers to commands that only a version 1 device finds in the set-up's last octets."""
    wanted = (*_wanted(one), v1.FragSessionStatusAns.CID)
    for seen in one.device.payloads:
        payload = seen.what.payload
        if seen.at < one.setup.at or payload is None or seen.what.direction is DOWNLINK:
            continue
        if payload[:1] == b"\x02" and len(payload) > 2 and payload[2] in wanted:
            text = f"the set-up was answered by {payload.hex(' ')}: more than one answer to it"
            yield Evidence(Weight.STRONG, text, (seen.at,))
            return
    first = min((each.at for each in one.requests), default=None)
    unasked = [each for each in one.statuses if first is None or each.at < first]
    if unasked:
        text = f"01 {unasked[0].what.hex(' ')} answers a status request that nobody sent"
        yield Evidence(Weight.STRONG, text, (unasked[0].at,))


def _speaks_otherwise(one: Transfer) -> bool:
    """Whether the device is there at all: it says something, or set-ups are all it was sent."""
    return bool(one.device.up) or all(
        isinstance(each.what, v1.FragSessionSetupReq | v2.FragSessionSetupReq)
        for each in one.device.down
    )


def _unanswered(one: Transfer) -> Weight:
    """Weigh a set-up without answer: the last thing said to a device that answers says little."""
    ended = one.setups == 1 and bool(one.device.up) and not one.device.goes_on(one.setup.at)
    return Weight.HINT if ended else Weight.FAIR
