from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import lorafuota
from lorafuota._kinds import Int
from lorafuota.errors import DecodeError, FieldError
from lorafuota.fragmentation.v2 import FragSessionStatusAns
from lorafuota.package import Package, UnknownCommand
from lorafuota.testing.hostile import Harm, Hostile, hostile
from lorafuota.types import DOWNLINK, UPLINK, Direction
from lorafuota.wire import Command

FRAGMENTATION = lorafuota.package("fragmentation", 2)
ANY = settings(phases=[Phase.generate], max_examples=1_000, database=None)  # not the simplest
MAY_BE_VALID = (Harm.FLIPPED, Harm.DIRECTION)


def suits(package: Package, direction: Direction, harm: Harm) -> bool:
    try:
        hostile(package, direction, harms=[harm])
    except FieldError:
        return False
    return True


CASES = [
    (package, direction, harm)
    for package in lorafuota.PACKAGES
    for direction in Direction
    for harm in Harm
    if suits(package, direction, harm)
]


def stale(one: Hostile) -> bool:
    """Whether a lenient reader steps over three octets behind a session that does not exist."""
    said = [each for each in one.commands if isinstance(each, FragSessionStatusAns)]
    return any(each.session_does_not_exist and one.payload[-5:-3] == each.encode() for each in said)


@pytest.mark.parametrize(("package", "direction", "harm"), CASES, ids=str)
@given(data=st.data())
def test_a_strict_reader_finds_something_wrong(
    package: Package, direction: Direction, harm: Harm, data: st.DataObject
) -> None:
    one = data.draw(hostile(package, direction, harms=[harm]))
    assert (one.harm, one.direction) == (harm, direction)
    assert one.payload != package.join(one.commands) or harm is Harm.DIRECTION
    lenient = package.parse(one.payload, direction)
    if harm is Harm.RESERVED:
        seen = one.commands[0].KINDS.get("errors")  # some are shown, and read
        if seen is None or not (isinstance(seen, Int) and seen.reserved):
            assert lenient == list(one.commands)
    if harm is Harm.UNKNOWN and not stale(one):
        assert isinstance(lenient[-1], UnknownCommand)
        assert lenient[:-1] == list(one.commands[: len(lenient) - 1])
    if harm in (Harm.TRUNCATED, Harm.VALUE, Harm.COUNT, Harm.LENGTH):
        assert not any(isinstance(each, Command) for each in lenient[-1:])
    if harm not in MAY_BE_VALID:
        with pytest.raises(DecodeError):
            package.parse(one.payload, direction, strict=True)


def _is(harm: Harm) -> Callable[[Hostile], bool]:
    return lambda one: one.harm is harm


def test_harms_that_suit_no_message_are_left_out_or_refused() -> None:
    everything = hostile(FRAGMENTATION, DOWNLINK)
    seen = {
        harm for harm in Harm if suits(FRAGMENTATION, DOWNLINK, harm)
    }  # no downlink of the package has a count
    assert seen == set(Harm) - {Harm.COUNT}
    for harm in seen:
        assert find(everything, _is(harm), settings=ANY).harm is harm
    with pytest.raises(FieldError, match=r"expected harm that suits a downlink of fragmentation/2"):
        hostile(FRAGMENTATION, DOWNLINK, harms=[Harm.COUNT])


@pytest.mark.parametrize(
    ("harm", "shown"),
    [
        (Harm.TRUNCATED, ": TRUNCATED to 1 of 2 octets in "),
        (Harm.EXTENDED, "Hostile(0005: EXTENDED by 1 octets in PackageVersionReq())"),
        (Harm.UNKNOWN, "Hostile(0500: UNKNOWN 0x05 before command 1 in PackageVersionReq())"),
        (Harm.RESERVED, "RESERVED bit "),
        (Harm.VALUE, "Hostile(080000: VALUE n is 0 in DataFragment(n=1, frag_index=0, "),
        (Harm.LENGTH, f"Hostile({'00' * 24}...: LENGTH 243 octets in PackageVersionReq())"),
    ],
)
def test_the_simplest_case_reads_well(harm: Harm, shown: str) -> None:
    one = find(hostile(FRAGMENTATION, DOWNLINK, harms=[harm]), lambda one: True)
    assert shown in repr(one)


def test_a_set_up_cut_short_shrinks_to_one_of_zeros() -> None:
    def cut_set_up(one: Hostile) -> bool:
        return one.payload[:1] == b"\x02" and len(one.payload) > 5

    one = find(hostile(FRAGMENTATION, DOWNLINK, harms=[Harm.TRUNCATED]), cut_set_up)
    assert one.payload == b"\x02" + bytes(5)
    assert one.detail == "to 6 of 17 octets"


def test_uplinks_have_counts() -> None:
    package = lorafuota.package("multicastsetup", 1)
    one = find(hostile(package, UPLINK, harms=[Harm.COUNT]), lambda one: True)
    assert one.detail == "ans_group_mask announces 1 records of 0"
