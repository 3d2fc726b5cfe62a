from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota._kinds import Int
from lorafuota.errors import ReservedBitsError
from lorafuota.fragmentation.v1 import FragSessionSetupReq
from lorafuota.multicastsetup.v1 import McGroup, McGroupStatusAns
from lorafuota.testing._anatomy import reserved_bits, slices, with_bits
from lorafuota.testing.strategies import records
from lorafuota.types import DevAddr
from lorafuota.wire import Command

EVERY = list(dict.fromkeys(cls for package in lorafuota.PACKAGES for cls in package.commands))


def test_fields_and_reserved_bits_of_a_set_up_lie_where_the_document_has_them() -> None:
    setup = FragSessionSetupReq.decode(b"\x02" + bytes(10))
    places = [(one.field, one.bit) for one in slices(setup)]
    assert places == [
        ("mc_group_bit_mask", 8),
        ("frag_index", 12),
        ("nb_frag", 16),
        ("frag_size", 32),
        ("block_ack_delay", 40),
        ("frag_algo", 43),
        ("padding", 48),
    ]
    assert reserved_bits(setup) == [14, 15, 46, 47]


def test_records_in_a_message_have_reserved_bits_too() -> None:
    group = McGroup(mc_group_id=2, mc_addr=DevAddr(1))
    answer = McGroupStatusAns(ans_group_mask=4, nb_total_groups=1, groups=(group,))
    assert reserved_bits(answer) == [15, 18, 19, 20, 21, 22, 23]
    assert [one.field for one in slices(answer) if one.counts] == ["ans_group_mask"]


@pytest.mark.parametrize("cls", EVERY, ids=lambda c: f"{c.__module__}.{c.__name__}")
@given(data=st.data())
def test_what_lies_where_is_true_of_every_message(cls: type[Command], data: st.DataObject) -> None:
    message = data.draw(records(cls))
    octets = message.encode()
    word = int.from_bytes(octets, "little")
    for one in slices(message):
        raw = word >> one.bit & one.kind.mask
        assert with_bits(octets, one.bit, one.kind.bits, raw) == octets
        if one.field in cls.KINDS:
            assert one.kind.raw(getattr(message, one.field)) == raw
    for bit in reserved_bits(message):
        changed = with_bits(octets, bit, 1, 1)
        if not any(isinstance(kind, Int) and kind.reserved for kind in cls.KINDS.values()):
            assert cls.decode(changed) == message  # elsewhere a reader has to see them
        with pytest.raises(ReservedBitsError):
            cls.decode(changed, strict=True)
