from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lorafuota.testing.peers import ServerUnderTest, Target
from lorafuota.testing.servermachine import ServerMachine
from tests.support import LONG
from tests.unit.testing.servers import BROKEN, CampaignServer

RUN = settings(
    max_examples=500 if LONG else 15,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
HUNT = settings(RUN, max_examples=500, phases=[Phase.generate], derandomize=True, database=None)


def machine(server: type[CampaignServer]) -> type[ServerMachine]:
    class Machine(ServerMachine):
        def new_server(self, image: bytes, targets: tuple[Target, ...]) -> ServerUnderTest:
            return server(image, targets)

    return Machine


def test_our_campaign_passes() -> None:
    run_state_machine_as_test(machine(CampaignServer), settings=RUN)


@pytest.mark.parametrize("wrong", BROKEN, ids=lambda one: one.__name__)
def test_a_server_that_is_wrong_in_one_way_fails(wrong: type[CampaignServer]) -> None:
    with pytest.raises((AssertionError, IndexError, ValueError), match=BROKEN[wrong]):
        run_state_machine_as_test(machine(wrong), settings=HUNT)
