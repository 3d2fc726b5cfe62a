from __future__ import annotations

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError
from lorafuota.fragmentation import v1, v2
from lorafuota.testing.arrivals import Pattern
from lorafuota.testing.channel import Channel, Corrupt, Cut, Delay, Effect, Loss, Reorder, Repeat
from lorafuota.testing.peers import Block, ReferenceDevice
from lorafuota.testing.sessions import Session, channels, sessions
from lorafuota.types import DOWNLINK, GenAppKey, McKey

NOW = 1_400_000_000.0
every_version = pytest.mark.parametrize("version", [1, 2])


@every_version
@given(data=st.data())
def test_a_device_rebuilds_exactly_the_blocks_of_which_enough_arrives(
    version: int, data: st.DataObject
) -> None:
    session: Session = data.draw(sessions(version))
    device = ReferenceDevice(session.root_key, profile=f"documents v{version}")
    for place, payload in enumerate(session.payloads):
        device.receive(201, payload, NOW + place)
    index = session.setup_req.frag_index
    expected = [Block(index, session.block.image)] if session.arrivals.enough else []
    assert device.take_blocks() == expected


@every_version
@given(data=st.data())
def test_the_payloads_are_a_set_up_and_the_fragments_in_order(
    version: int, data: st.DataObject
) -> None:
    session = data.draw(sessions(version, frag_index=3, block_ack_delay=st.integers(6, 7)))
    package = session.profile.package
    parsed = [package.parse(one, DOWNLINK, strict=True) for one in session.payloads]
    assert parsed[0] == [session.setup_req]
    assert session.setup_req.frag_index == 3
    assert session.setup_req.block_ack_delay in (6, 7)
    fragments = [one for [one] in parsed[1:] if isinstance(one, v1.DataFragment)]
    assert tuple(one.n for one in fragments) == session.arrivals.numbers


def test_block_key_and_pattern_can_be_pinned() -> None:
    key, block = GenAppKey(bytes(16)), DataBlock(b"abcdefg", 3)
    pinned = sessions(
        2, block=block, root_key=key, patterns=[Pattern.ALL_PLAIN], session_cnt=7, coded=4
    )
    one = find(pinned, lambda one: True)
    assert isinstance(one.setup_req, v2.FragSessionSetupReq)
    assert (one.block, one.root_key, one.setup_req.session_cnt) == (block, key, 7)
    assert repr(one) == (
        "Session(fragmentation/2, M = 3 of 3 octets, padding 2, ALL_PLAIN: 4-7, 1 missing)"
    )


def test_what_a_session_shrinks_to_reads_well() -> None:
    first = sessions(1, patterns=[Pattern.FIRST])
    lost = find(first, lambda one: not one.arrivals.enough and one.block.padding > 0)
    assert repr(lost) == (
        "Session(fragmentation/1, M = 1 of 2 octets, padding 1, FIRST: 2-9, 1 missing)"
    )


def test_a_field_that_is_not_free_is_refused() -> None:
    with pytest.raises(FieldError, match=r"^sessions.pinned = 'session_cnt'"):
        sessions(1, session_cnt=1)
    with pytest.raises(FieldError, match=r"^sessions.pinned = 'nb_frag'"):
        sessions(2, nb_frag=1)


def test_a_key_of_another_class_is_refused() -> None:
    with pytest.raises(FieldError, match=r"^sessions.root_key = McKey"):
        sessions(2, root_key=McKey(bytes(16)))  # type: ignore[arg-type]


def test_channels_shrink_to_the_one_effect_that_matters() -> None:
    numbered = [bytes((n,)) for n in range(20)]
    lossy = find(channels(), lambda one: len(one.through(numbered)) < 20)
    assert lossy.effects == (Loss(0.1),)
    perfect = find(channels(), lambda one: True)
    assert (perfect.effects, perfect.through(numbered)) == ((), numbered)


@given(channel=channels([Loss, Repeat], longest=5.0))
def test_a_channel_has_only_the_effects_asked_for(channel: Channel) -> None:
    assert all(isinstance(one, Loss | Repeat) for one in channel.effects)
    for arrival in channel.send(b"x", now=1.0):
        assert (arrival.payload, 1.0 <= arrival.time <= 6.0) == (b"x", True)


@pytest.mark.parametrize("kind", [Loss, Delay, Reorder, Repeat, Corrupt, Cut])
def test_every_effect_occurs(kind: type[Effect]) -> None:
    found = find(channels([kind]), lambda one: one.effects != ())
    assert [type(one) for one in found.effects] == [kind]


def test_a_channel_of_no_effect_or_an_unknown_one_is_refused() -> None:
    for wrong in ([], [int]):
        with pytest.raises(FieldError, match=r"^channels.effects"):
            channels(wrong)  # type: ignore[arg-type]
