from lorafuota.conformance.check import Check, Severity
from lorafuota.conformance.server.stacks import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from tests.mutants.silent import ServerWithoutFragments
from tests.unit.conformance.server.support import Meddler, every, expect_pass, outcomes, reason


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def test_every_stack_is_played_with_and_without_losses_and_with_firmware_if_it_has_that() -> None:
    assert len([one for one in CHECKS if one.name.endswith("-lossy")]) == 6
    assert len([one for one in CHECKS if one.name.endswith("-firmware")]) == 4
    assert len(CHECKS) == 22
    assert {one.severity for one in CHECKS} == {Severity.QUIRK}


def test_a_failure_reported_of_a_device_with_the_block_is_found() -> None:
    words = reason(
        CHECKS["ts004-v2/stack-lora-basics-modem-48"], Meddler(outcomes(status="MissingFrag"))
    )
    assert words == "the device has the block, and is reported MissingFrag"


def test_success_reported_of_a_stack_that_gave_up_is_found() -> None:
    """A LoRaMac-node that lost more than it can make good, and says nothing anybody can use."""
    words = reason(
        CHECKS["ts004-v1/stack-loramac-node-lossy"], Meddler(outcomes(status="Successful"))
    )
    assert words.endswith("is reported Successful although it does not have the block")


def test_a_server_that_sends_no_fragment_has_nothing_true_to_say() -> None:
    for name in ("loramac-node", "zephyr-2025", "lora-basics-modem-48-v1"):
        check = CHECKS[f"ts004-v1/stack-{name}"]
        words = reason(check, ServerWithoutFragments())
        assert words == "no fragment reached the device: there is nothing to be told of it"
