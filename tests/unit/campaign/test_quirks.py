"""No stack in the field gets a campaign to claim what is not so (R10)."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from lorafuota.campaign.quirks import StatusQuirk, quirks_of
from lorafuota.campaign.state import Outcome
from lorafuota.errors import FieldError
from lorafuota.session.stacks import DEVICE_PROFILES
from lorafuota.simulate.kinds import kind_names
from lorafuota.simulate.scenario import Scenario
from lorafuota.simulate.simulation import Simulation

Q = StatusQuirk


def test_each_known_stack_has_the_quirks_its_answers_need() -> None:
    assert {name: quirks_of(name) for name in DEVICE_PROFILES} == {
        "documents v1": Q.NONE,
        "documents v2": Q.NONE,
        "LoRaMac-node": (Q.MISSING_NEVER_FALLS | Q.STICKY_MEMORY_ERROR | Q.MISSING_IN_8_BITS),
        "LoRa Basics Modem 4.8": Q.MISSING_ONE_WHEN_COMPLETE | Q.MISSING_IN_8_BITS,
        "LoRa Basics Modem 4.8 v1": Q.MISSING_ONE_WHEN_COMPLETE | Q.MISSING_IN_8_BITS,
        "Zephyr 2025": Q.MISSING_IS_NOT_RECEIVED,
        "ST middleware v2": (
            Q.MISSING_NEVER_FALLS
            | Q.VERSION_1_LAYOUT
            | Q.NEXT_VERSION_ZERO
            | Q.NEEDS_CODED_FRAGMENT
            | Q.MISSING_IN_8_BITS
        ),
        "Renesas": Q.NONE,
        "MultiTech Conduit": Q.NONE,
    }


def test_a_profile_does_as_well_as_its_name_and_an_unknown_name_is_an_error() -> None:
    for name, profile in DEVICE_PROFILES.items():
        assert quirks_of(profile) == quirks_of(name)
    with pytest.raises(FieldError, match="name = 'nobody'"):
        quirks_of("nobody")


@pytest.mark.parametrize("unicast", [0.0, 1.0])
@pytest.mark.parametrize("firmware", [None, 0x200])
@pytest.mark.parametrize("stack", kind_names())
def test_no_success_without_the_block_and_no_failure_with_it(
    stack: str, firmware: int | None, unicast: float
) -> None:
    ended: Counter[Outcome] = Counter()
    for seed, loss in ((1, 0.0), (2, 0.1), (3, 0.3), (4, 0.3)):
        image = random.Random(seed).randbytes(500)
        scenario = Scenario(
            image=image,
            frag_size=25,
            devices=4,
            profiles={stack: 1.0},
            loss=loss,
            redundancy=0.1,
            unicast=unicast,
            firmware_version=firmware,
            seed=seed,
        )
        for one in Simulation(scenario).run().results:
            outcome = Outcome(one.outcome)
            ended[outcome] += 1
            assert one.complete or not outcome.success, one
            assert not one.complete or outcome.success or outcome is Outcome.LIKELY, one
    no_firmware = firmware is not None and stack in ("loramac-node", "zephyr-2025")
    assert (set(ended) == {Outcome.NOT_SUPPORTED}) is no_firmware
