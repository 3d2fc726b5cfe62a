from lorafuota.conformance.device import multicast

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(multicast.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("status-total", "ts005-v2/status-mask").startswith(
        "expected McGroupStatusAns(ans_group_mask=2, nb_total_groups=2, groups=(McGroup(m"
    )
    assert (
        said("setup-keeps-key", "ts005-v2/setup-same-address")
        == "expected a frame under the old key to be dropped; the device answers it"
    )
    assert said("group-never-undefined", "ts005-v2/delete-undefined").startswith(
        "expected McGroupDeleteAns(mc_group_id=0, mc_group_undefined=True)"
    )
    assert said("refusal-blocks", "ts005-v2/setup-min-above-max").startswith(
        "expected McGroupSetupAns(mc_group_id=0, id_error=False); came McGroupSetupAns("
    )
