from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

import lorafuota
from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.testing import arrivals as _arrivals
from lorafuota.testing import blocks as _blocks
from lorafuota.testing import hostile as _hostile
from lorafuota.testing import sessions as _sessions
from lorafuota.testing import strategies
from lorafuota.testing._arguments import (
    require,
    require_class,
    require_members,
    require_number,
    require_travel,
)
from lorafuota.types import DOWNLINK, GenAppKey, Key
from lorafuota.wire import Command, Record

# what a caller without a type checker may give them
arrivals: Any = _arrivals.arrivals
blocks: Any = _blocks.blocks
channels: Any = _sessions.channels
hostile: Any = _hostile.hostile
keys: Any = strategies.keys
payloads: Any = strategies.payloads
records: Any = strategies.records
sessions: Any = _sessions.sessions

FRAGMENTATION = lorafuota.package("fragmentation", 2)
V1 = ParityVariant.V1


def test_what_fits_is_taken() -> None:
    require("here", "thing", 5, int | str, "a number or a text")
    require_class("here", "cls", GenAppKey, Key, "a class of key")
    require_number("here", "many", 1, int, 1, "1 or more")
    require_travel("here", FRAGMENTATION, DOWNLINK)
    assert require_members("here", "many", {1, 2}, int, "numbers") == {1, 2}
    assert require_members("here", "many", [], int, "numbers") == []


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: records(5), "records.cls = 5: expected a class of commands"),
        (lambda: records(int), "records.cls = <class 'int'>: expected a class"),
        (lambda: records(Record), "records.cls = <class 'lorafuota.wire.Record'>: expected"),
        (lambda: records(Command), "records.cls = <class 'lorafuota.wire.Command'>: expected"),
        (
            lambda: records(DataFragment(n=1, frag_index=0, payload=b"")),
            "records.cls = DataFragment(n=1, frag_index=0, payload=b''): expected a class",
        ),
        (
            lambda: payloads("fragmentation", DOWNLINK),
            "payloads.package = 'fragmentation': expected a Package, as "
            "lorafuota.package('fragmentation', 2) returns it",
        ),
        (
            lambda: payloads(FRAGMENTATION, "down"),
            "payloads.direction = 'down': expected Direction.UPLINK or Direction.DOWNLINK",
        ),
        (lambda: payloads(FRAGMENTATION, DOWNLINK, max_size="5"), "payloads.max_size = '5': "),
        (lambda: payloads(FRAGMENTATION, DOWNLINK, max_size=True), "payloads.max_size = True: "),
        (lambda: payloads(FRAGMENTATION, DOWNLINK, max_octets=None), "payloads.max_octets = None"),
        (lambda: keys(5), "keys.cls = 5: expected a class of keys, GenAppKey for instance"),
        (lambda: keys(Key), "keys.cls = <class 'lorafuota.types.Key'>: expected a class of keys"),
        (lambda: keys(bytes), "keys.cls = <class 'bytes'>: expected a class of keys"),
        (lambda: hostile("fragmentation", DOWNLINK), "hostile.package = 'fragmentation': "),
        (lambda: hostile(FRAGMENTATION, "up"), "hostile.direction = 'up': expected Direction."),
        (lambda: hostile(FRAGMENTATION, DOWNLINK, harms=5), "hostile.harms = 5: expected some"),
        (
            lambda: hostile(FRAGMENTATION, DOWNLINK, harms=[_hostile.Harm.VALUE, "FLIPPED"]),
            "hostile.harms = [<Harm.VALUE: 'a field holds what the document excludes'>, 'FLI",
        ),
        (lambda: arrivals(5, "v1"), "arrivals.variant = 'v1': expected a ParityVariant"),
        (lambda: arrivals(5, V1, patterns=7), "arrivals.patterns = 7: expected some of Pattern"),
        (lambda: arrivals(5, V1, patterns=["LAST"]), "arrivals.patterns = ['LAST']: expected"),
        (lambda: blocks(nb_frag="5"), "blocks.nb_frag = '5': expected int in 1..16383"),
        (lambda: blocks(descriptor=b"abc"), "blocks.descriptor = b'abc': expected 4 octets"),
        (lambda: blocks(descriptor="abcd"), "blocks.descriptor = 'abcd': expected 4 octets"),
        (lambda: blocks(frag_size=4, padding=4), "blocks.padding = 4: expected int in 0..3"),
        (lambda: sessions(3), "frag_profile.version = 3: "),
        (lambda: sessions(2, block=b"image"), "sessions.block = b'image': expected a DataBlock"),
        (lambda: sessions(2, frag_index=4), "sessions.frag_index = 4: expected int in 0..3"),
        (lambda: sessions(2, mc_group_bit_mask=16), "sessions.mc_group_bit_mask = 16: expected"),
        (lambda: sessions(2, block_ack_delay="1"), "sessions.block_ack_delay = '1': expected"),
        (lambda: sessions(2, session_cnt=65536), "sessions.session_cnt = 65536: expected int in"),
        (lambda: sessions(2, ack_reception=2), "sessions.ack_reception = 2: expected a bool"),
        (lambda: sessions(2, patterns=[]), "sessions.patterns = []: expected at least one"),
        (lambda: sessions(2, patterns=["LAST"]), "sessions.patterns = ['LAST']: expected some of"),
        (lambda: sessions(2, coded=-1), "sessions.coded = -1: expected int in 0..16382"),
        (lambda: channels(5), "channels.effects = 5: expected some of Loss, Delay"),
        (lambda: channels(longest=-1.0), "channels.longest = -1.0: expected seconds"),
        (lambda: channels(longest="1"), "channels.longest = '1': expected seconds"),
        (lambda: channels(longest=float("nan")), "channels.longest = nan: expected seconds"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_at_once(ask: Any, said: str) -> None:
    with pytest.raises(FieldError) as caught:
        ask()
    assert str(caught.value).startswith(said)


def test_strategies_are_taken_for_values() -> None:
    two = st.just(2)
    made = [
        blocks(nb_frag=two, frag_size=two, padding=st.just(1), descriptor=st.just(bytes(4))),
        sessions(2, frag_index=two, ack_reception=st.booleans(), block=DataBlock(b"ab", 2)),
        sessions(1, block=blocks(max_nb_frag=3), block_ack_delay=two),
    ]
    assert all(isinstance(one, st.SearchStrategy) for one in made)
