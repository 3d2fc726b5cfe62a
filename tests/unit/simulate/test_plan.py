from __future__ import annotations

import pytest

from lorafuota.campaign.config import WindowClass
from lorafuota.errors import FieldError
from lorafuota.fec.variant import ParityVariant
from lorafuota.simulate.plan import Plan
from lorafuota.types import AppKey, GenAppKey

from .support import scenario


def plan(**fields: object) -> Plan:
    return Plan(scenario(**fields))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"image": b""}, "image = 0 octets"),
        ({"image": bytes(16384), "frag_size": 1}, r"expected 1\.\.16383 octets"),
        ({"frag_size": 49, "dr": 0}, r"frag_size = 49: expected 1\.\.48 octets at EU868 DR0"),
        ({"frag_size": 0}, "frag_size = 0"),
        ({"dr": 9}, "a rate for multicast in EU868: 0, 1, 2, 3, 4, 5, 6, 7"),
        ({"region": "MARS"}, "MARS"),
        ({"redundancy": 16000.0}, "coded fragments beside 13 plain"),
        ({"profiles": {"nobody": 1.0}}, "profile = 'nobody': expected v1, v2, "),
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(FieldError, match=match):
        plan(**fields)


def test_each_matrix_takes_a_group_and_groups_share_the_air() -> None:
    one, two = plan(devices=4), plan(devices=4, version=None)
    assert one.parities == (ParityVariant.V2,)
    assert two.parities == (ParityVariant.V1, ParityVariant.V2)
    assert two.spacing_seconds == 2 * one.spacing_seconds
    addresses = [two.group(parity).mc_addr for parity in two.parities]
    keys = [two.group(parity).mc_key.reveal() for parity in two.parities]
    assert len(set(addresses)) == len(set(keys)) == 2


def test_devices_served_by_unicast_need_no_group() -> None:
    assert plan(devices=3, unicast=1.0).parities == ()
    members = plan(devices=10, unicast=0.3).config().members
    assert sum(not member.multicast for member in members) == 3


def test_mixed_link_layers_have_each_their_root_key() -> None:
    mixed = plan(devices=4, lorawan=None)
    assert [type(mixed.root_key(at)) for at in range(4)] == [GenAppKey, AppKey] * 2
    assert len({mixed.root_key(at).reveal() for at in range(4)}) == 4


def test_the_first_pass_has_exactly_the_parity_that_was_chosen() -> None:
    for redundancy in (0.0, 0.1, 1 / 3, 0.5, 1.0):
        one = plan(redundancy=redundancy, frag_size=7)
        config = one.config()
        assert -(-config.redundancy * one.block.nb_frag // 1) in (one.parity, 0)
        assert one.parity >= 1


def test_patience_grows_with_loss_and_with_the_distance_of_uplinks() -> None:
    easy, lossy = plan().config(), plan(loss=0.5, uplink_loss=0.5, devices=100).config()
    assert easy.retry.attempts < lossy.retry.attempts <= 60
    assert plan(uplink_seconds=3600.0).config().retry.interval_seconds > 7200
    assert plan(uplink_seconds=3600.0).config().unicast_seconds == 3600


def test_class_b_uses_the_ping_slot_channel() -> None:
    assert plan().freq_hz == plan(window_class=WindowClass.B).freq_hz == 869_525_000
    assert plan(region="CN470").freq_hz == 505_300_000


def test_troubles_are_drawn_from_the_seed_and_lie_in_the_first_pass() -> None:
    fields = {"devices": 20, "late": 0.1, "vanish": 0.2, "reboot": 0.3}
    one, same, other = plan(**fields), plan(**fields), plan(**fields, seed=1)
    assert one.troubles() == same.troubles() != other.troubles()
    assert sorted(t.what for t in one.troubles()) == sorted(
        ["late"] * 2 + ["vanish"] * 4 + ["reboot"] * 6
    )
    assert plan(devices=3, vanish=0.01).troubles()[0].what == "vanish"  # one at least


def test_identities_go_back_and_forth() -> None:
    one = plan(devices=3)
    assert [one.index(one.dev_eui(at)) for at in range(3)] == [0, 1, 2]
