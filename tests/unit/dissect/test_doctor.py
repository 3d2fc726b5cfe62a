"""The doctor as a whole: every fault named first, healthy sessions left alone, and no exception.

The long version (``LORAFUOTA_LONG=1``) makes each fault 50 times; ``python -m
tests.unit.dissect.confusion`` prints the table.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.dissect.capture import Frame
from lorafuota.dissect.case import Known
from lorafuota.dissect.doctor import diagnose
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.errors import FieldError
from lorafuota.types import AppKey, DevAddr, DevEUI, Direction, GenAppKey, LorawanVersion
from tests.support import LONG
from tests.unit.dissect.confusion import confusion
from tests.unit.dissect.faults import FAULTS, Fault, healthy
from tests.unit.dissect.support import FRAG, OTHER, Log, setup2

SEEDS = 50 if LONG else 2
HEALTHY = 2000 if LONG else 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_the_fault_is_named_first(fault: Fault) -> None:
    named = confusion(fault, range(SEEDS))
    assert named == {fault.symptom.value: SEEDS}


def test_every_symptom_is_a_fault_somebody_made() -> None:
    assert set(Symptom) - {fault.symptom for fault in FAULTS} == set()


def test_every_fault_is_in_the_table_of_the_guide() -> None:
    guide = pathlib.Path(__file__).parents[3] / "docs" / "guides" / "doctor.md"
    rows = guide.read_text("utf-8").splitlines()
    assert [
        one.name for one in FAULTS if not any(row.startswith(f"| {one.name} ") for row in rows)
    ] == []


def test_healthy_sessions_are_left_alone() -> None:
    made = [capture for seed in range(HEALTHY) if (capture := healthy(seed)) is not None]
    assert len(made) > HEALTHY * 0.9
    found = [diagnose(*capture) for capture in made]
    assert [one for one in found if one.found or one.hypotheses] == []


def test_a_healthy_session_cut_anywhere_is_hardly_ever_taken_for_a_broken_one() -> None:
    draw, alarms, cuts = random.Random(1), 0, 0
    for capture in filter(None, map(healthy, range(HEALTHY))):
        frames, known = capture
        for _ in range(4):
            alarms += diagnose(frames[: draw.randrange(len(frames)) + 1], known).found
            cuts += 1
    assert alarms <= cuts / 10  # a question without its answer, a block that is not there yet


def test_what_follows_from_another_stands_behind_it() -> None:
    log = Log().up(FRAG, "000301")
    for _ in range(3):
        log.down(FRAG, setup2())
    first, second = log.diagnose().hypotheses
    assert (first.symptom, first.follows_from) == (Symptom.V2_SETUP_TO_V1, ())
    assert (second.symptom, second.follows_from) == (
        Symptom.NO_ANSWER,
        (Symptom.V2_SETUP_TO_V1,),
    )


def test_devices_with_the_same_trouble_share_a_hypothesis() -> None:
    log = Log().down(FRAG, setup2()).up(FRAG, "0202")
    log.up(FRAG, "000302", dev=OTHER).down(FRAG, setup2(), dev=OTHER).up(FRAG, "0202", dev=OTHER)
    [one] = log.diagnose().hypotheses
    assert (one.symptom, len(one.devices)) == (Symptom.NOT_ENOUGH_MEMORY, 2)


def test_nothing_is_found_in_nothing() -> None:
    diagnosis = diagnose([])
    assert (diagnosis.found, diagnosis.hypotheses, diagnosis.judged) == (False, (), 0)
    assert diagnosis.looked_at == (
        "0 frames, 0 with a time, 0 multicast frames as on air",
        "0 devices, 0 groups, 0 set-ups of a block, 0 fragments",
        "0 blocks reported complete, 0 with another MIC",
        "known beside it: nothing",
    )


def test_what_was_given_and_for_whom_is_said() -> None:
    keys = {"gen_app_key": GenAppKey(bytes(16)), "app_key": AppKey(bytes(16))}
    log = Log().up(FRAG, "000301")
    last = "known beside it: GenAppKey (taken for the root key), AppKey"
    assert log.diagnose(**keys).looked_at[-1] == last
    assert log.diagnose(**keys, dev_eui=OTHER).looked_at[-1] == (
        f"{last}; of device {OTHER}, which is not in the capture"
    )
    two = Log().up(FRAG, "000301").up(FRAG, "000301", dev=OTHER)
    assert two.diagnose(**keys).looked_at[-1] == f"{last}; of which of the 2 devices is not known"
    assert two.diagnose(**keys, dev_eui=OTHER).looked_at[-1] == last
    assert two.diagnose(image=b"x").looked_at[-1] == "known beside it: image"
    swapped = log.diagnose(**keys, lorawan=LorawanVersion.V1_1).looked_at[-1]
    assert swapped == "known beside it: GenAppKey, AppKey (taken for the root key)"


def test_evidence_names_the_lines_that_were_told_each_once() -> None:
    log = Log().up(FRAG, "000301").down(FRAG, setup2()).down(FRAG, setup2()).down(FRAG, setup2())
    assert log.diagnose().hypotheses[1].evidence[0].frames == (1, 2, 3)
    assert log.diagnose().hypotheses[1].evidence[0].lines == (2, 3, 4)
    told = diagnose(log.frames, lines=[3, 17, 17, 19]).hypotheses[1]
    assert told.evidence[0].lines == (17, 19)
    assert told.evidence[0].to_json()["lines"] == [17, 19]
    with pytest.raises(FieldError, match="expected 4, one for each frame"):
        diagnose(log.frames, lines=[1])


CAPTURES = [fault.make(0)[0][:60] for fault in FAULTS[::9]]
octets = st.binary(max_size=40)


@st.composite
def hostile_captures(draw: st.DrawFn) -> list[Frame]:
    """Frames of real sessions, with octets, times, ports and directions that are not theirs."""
    frames = list(draw(st.sampled_from(CAPTURES)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(frames) - 1))
        one = frames[at]
        payload = bytearray(one.payload or b"")
        if payload and draw(st.booleans()):
            payload[draw(st.integers(0, len(payload) - 1))] = draw(st.integers(0, 255))
        payload = payload[: draw(st.integers(0, 60))] + draw(octets)
        frames[at] = dataclasses.replace(
            one,
            payload=bytes(payload),
            fport=draw(st.sampled_from([one.fport or 1, 200, 201, 202, 225, 0])),
            direction=draw(st.sampled_from(Direction)),
            time=draw(st.sampled_from([one.time, None, 0.0, -1e300, float("nan"), 2.0**40])),
            fcnt=draw(st.sampled_from([one.fcnt, None, 0, 1 << 40])),
            phy=draw(st.sampled_from([one.phy, None, b"", b"\x60" + bytes(11)])),
        )
        if draw(st.booleans()):
            frames.insert(at, frames[draw(st.integers(0, len(frames) - 1))])
    return frames


@given(frames=hostile_captures(), image=octets, block=octets)
def test_no_capture_makes_the_doctor_raise(frames: list[Frame], image: bytes, block: bytes) -> None:
    known = Known(
        gen_app_key=GenAppKey(bytes(16)),
        app_key=AppKey(bytes(range(16))),
        dev_eui=frames[0].dev_eui,
        mc_addr=DevAddr(7),
        image=image,
        block=block,
    )
    for each in (known, Known()):
        diagnosis = diagnose(frames, each)
        scores = [one.score for one in diagnosis.hypotheses]
        assert all(0 < score <= 1 for score in scores)
        assert diagnosis.to_json()["found"] is diagnosis.found


@given(
    frames=st.lists(
        st.builds(
            Frame,
            direction=st.sampled_from(Direction),
            fport=st.sampled_from([200, 201, 202, 203, 225]),
            payload=st.binary(max_size=60),
            time=st.floats(),
            dev_eui=st.sampled_from([None, DevEUI(1), DevEUI(2)]),
            mc_addr=st.sampled_from([None, DevAddr(3)]),
        ),
        max_size=12,
    )
)
def test_no_noise_makes_the_doctor_raise(frames: list[Frame]) -> None:
    diagnosis = diagnose(frames)
    order = [one.symptom for one in diagnosis.hypotheses]
    for one, later in itertools.combinations(diagnosis.hypotheses, 2):
        assert later.symptom not in one.follows_from, order
