"""Frames as on air are read once a way to McKey fits."""

from __future__ import annotations

import dataclasses

from lorafuota.dissect.case import Case, Known
from lorafuota.dissect.doctor import diagnose
from lorafuota.dissect.mckey import in_clear, ways
from lorafuota.fec.variant import ParityVariant
from lorafuota.types import AppKey, GenAppKey
from tests.unit.dissect.bench import Bench


def test_a_capture_of_the_air_is_read_with_the_root_key() -> None:
    bench = Bench(5, loss=0.2, member={"parity": ParityVariant.V1})
    frames = bench.run()
    sniffed = [
        one
        if one.phy is None
        else dataclasses.replace(one, fport=None, payload=None, fcnt=None, mc_addr=None)
        for one in frames
    ]
    assert in_clear(Case(sniffed, bench.known)) == frames
    assert in_clear(Case(sniffed, Known())) == sniffed
    assert diagnose(sniffed, bench.known) == diagnose(frames, bench.known)
    assert "wrong-parity-matrix" in str(diagnose(sniffed, bench.known).to_json())


def test_a_server_with_the_wrong_key_is_read_as_well() -> None:
    bench = Bench(6, root_of_server=AppKey)
    frames = bench.run()
    sniffed = [
        one if one.phy is None else dataclasses.replace(one, fport=None, payload=None)
        for one in frames
    ]
    assert in_clear(Case(sniffed, bench.known)) == frames


def test_no_way_is_tried_twice_with_the_same_name() -> None:
    known = Known(gen_app_key=GenAppKey(bytes(16)), app_key=AppKey(bytes(range(16))))
    tried = [(one.mc_key, one.says) for one in ways(known, bytes(16), with_roots=True)]
    assert len({says for _, says in tried}) > 10
    assert next(ways(known, bytes(16), with_roots=True)).symptom is None
    assert len([*ways(known, bytes(16), with_roots=False)]) == 2


def test_a_frame_that_is_damaged_stays_closed() -> None:
    bench = Bench(7)
    frames = bench.run()
    at = [one.phy is not None for one in frames].index(True) + 5
    phy = frames[at].phy
    assert phy is not None
    closed = [
        one if one.phy is None else dataclasses.replace(one, fport=None, payload=None)
        for one in frames
    ]
    for damaged in (phy[:-1] + bytes((phy[-1] ^ 1,)), phy[:12]):
        closed[at] = dataclasses.replace(closed[at], phy=damaged)
        assert in_clear(Case(closed, bench.known)) == [
            closed[at] if one is frames[at] else one for one in frames
        ]
