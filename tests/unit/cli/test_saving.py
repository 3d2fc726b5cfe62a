"""What a delta saves, against plans of the two by hand."""

from __future__ import annotations

import dataclasses
import json

import pytest

from lorafuota.cli.saving import AirRow, FirstPass, saving_of
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.install import ImageGate
from lorafuota.region import lora_time_on_air_us
from lorafuota.simulate import Scenario, parity_for
from tests.unit.image.support import HARDWARE, NEW, OLD, delta, image, key

GATE = ImageGate(
    key=key().public,
    hw_version=HARDWARE,
    running=OLD,
    base=image(OLD),
    codecs=(DetoolsCodec(),),
)
SCENARIO = Scenario(image=delta(), loss=0.1, devices=10)


def by_hand(octets: int, *, frag_size: int, sf: int) -> FirstPass:
    """Fragments of the whole, and the parity of the simulation; 16 octets around each."""
    plain = -(-octets // frag_size)
    fragments = plain + parity_for(plain, loss=0.1, devices=10)
    microseconds = lora_time_on_air_us(frag_size + 16, sf=sf, bw_hz=125_000, crc=False)
    return FirstPass(fragments, fragments * microseconds / 1e6)


def test_octets_and_airtime_of_both_at_dr0_and_dr5() -> None:
    saving = saving_of(SCENARIO, GATE)
    assert saving is not None
    sizes = len(delta()), len(image(NEW))
    assert (saving.delta_octets, saving.image_octets, saving.region) == (*sizes, "EU868")
    assert saving.rows == tuple(
        AirRow(dr, *(by_hand(octets, frag_size=size, sf=sf) for octets in sizes))
        for dr, size, sf in ((0, 48, 12), (5, 239, 7))
    )
    lines = str(saving).splitlines()
    assert lines[0].split() == [
        *("EU868", "delta", "on", "air", "full", "image", "on", "air", "delta", "takes"),
    ]
    assert [line.split()[0] for line in lines[1:]] == ["DR0", "DR5"]


def test_the_campaigns_own_data_rate_is_shown_too_whatever_its_fragments() -> None:
    one = saving_of(dataclasses.replace(SCENARIO, dr=3, frag_size=20), GATE)
    assert one is not None
    assert [row.dr for row in one.rows] == [0, 3, 5]
    usual = saving_of(SCENARIO, GATE)
    assert usual is not None
    assert (one.rows[0], one.rows[2]) == usual.rows


@pytest.mark.parametrize(
    ("region", "rates"), [("US915", [8, 13]), ("CN470", [1, 5]), ("KR920", [0, 5])]
)
def test_elsewhere_the_slowest_and_the_usual_rate_are_shown(region: str, rates: list[int]) -> None:
    saving = saving_of(dataclasses.replace(SCENARIO, region=region), GATE)
    assert saving is not None
    assert [row.dr for row in saving.rows] == rates


def test_what_does_not_fit_the_fragment_number_is_said_to_be_too_many() -> None:
    """With 40 coded fragments for each plain one, N ends."""
    saving = saving_of(dataclasses.replace(SCENARIO, redundancy=40.0), GATE)
    assert saving is not None
    slow, fast = saving.rows
    assert slow.image is None
    assert slow.delta is not None
    assert fast.image is not None
    assert str(saving).splitlines()[1].split()[-4:] == ["too", "many", "-", "-"]


def test_a_full_image_and_a_delta_that_is_refused_save_nothing() -> None:
    assert saving_of(dataclasses.replace(SCENARIO, image=image(NEW)), GATE) is None
    assert saving_of(SCENARIO, dataclasses.replace(GATE, base=image(NEW))) is None


def test_as_json_it_is_plain_values() -> None:
    saving = saving_of(SCENARIO, GATE)
    assert saving is not None
    document = json.loads(json.dumps(saving.to_json()))
    assert list(document) == ["delta_octets", "image_octets", "region", "rows"]
    assert document["rows"][0]["delta"] == dataclasses.asdict(
        by_hand(len(delta()), frag_size=48, sf=12)
    )
