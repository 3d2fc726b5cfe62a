from __future__ import annotations

import json

import pytest

from lorafuota.campaign.config import WindowClass
from lorafuota.errors import FieldError
from lorafuota.simulate import Scenario, parity_for
from lorafuota.types import LorawanVersion
from lorafuota.wire import JSON

from .support import IMAGE, scenario


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"loss": 1.0}, "loss = 1.0"),
        ({"loss": float("nan")}, "loss = nan"),
        ({"uplink_loss": -0.1}, "uplink_loss = -0.1"),
        ({"repeat": 1.0}, "repeat = 1.0"),
        ({"delay_seconds": -1.0}, "delay_seconds = -1.0"),
        ({"uplink_seconds": float("inf")}, "uplink_seconds = inf"),
        ({"clock_error": float("nan")}, "clock_error = nan"),
        ({"devices": 0}, "devices = 0"),
        ({"redundancy": -1.0}, "redundancy = -1.0"),
        ({"duty_cycle": 0.0}, "duty_cycle = 0.0"),
        ({"duty_cycle": 1e-320}, "duty_cycle = 1e-320: expected 0.000001 to 1"),
        ({"version": 3}, "version = 3: expected 1, 2 or None"),
        ({"rounds": -1}, "rounds = -1"),
        ({"periodicity": 8}, "periodicity = 8"),
        ({"late": 1.5}, "late = 1.5"),
        ({"vanish": -0.5}, "vanish = -0.5"),
        ({"unicast": 2.0}, "unicast = 2.0"),
        ({"profiles": {"v1": 0.0}}, "a share above 0"),
        ({"profiles": {"v1": float("nan")}}, "a share above 0"),
        ({"profiles": {"v1": 10**400}}, "at most 1000000000"),
        ({"shared_radio": True, "reboot": 0.5}, "counters matter"),
        ({"shared_radio": True, "repeat": 0.1}, "counters matter"),
        ({"shared_radio": True, "profiles": {"renesas": 1.0}}, "counters matter"),
    ],
)
def test_numbers_that_cannot_be_are_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(FieldError, match=match):
        scenario(**fields)


def test_a_scenario_comes_back_from_json_without_its_image() -> None:
    one = scenario(
        devices=7,
        version=None,
        lorawan=LorawanVersion.V1_1,
        window_class=WindowClass.B,
        profiles={"v1": 0.25, "renesas": 1.0},
        firmware_version=3,
    )
    fields = json.loads(json.dumps(one.to_json()))
    assert "image" not in fields
    assert Scenario.from_json(fields, image=IMAGE) == one


@pytest.mark.parametrize("wrong", [None, {}, {"loss": 0.1}])
def test_json_that_is_no_scenario_is_refused(wrong: object) -> None:
    with pytest.raises(FieldError, match="what to_json returned"):
        Scenario.from_json(wrong, image=IMAGE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("window_class", "Z"),
        ("window_class", []),
        ("lorawan", 1.0),
        ("devices", None),
        ("devices", 1.5),
        ("devices", True),
        ("loss", "0.1"),
        ("redundancy", [0.1]),
        ("frag_size", [50]),
        ("dr", {}),
        ("region", None),
        ("profiles", 3),
        ("profiles", {"v1": "1"}),
        ("shared_radio", 1),
    ],
)
def test_json_with_a_value_of_another_kind_is_refused(field: str, value: JSON) -> None:
    fields: JSON = {**scenario().to_json(), field: value}
    with pytest.raises(FieldError, match=f"{field} = .* expected what to_json wrote"):
        Scenario.from_json(fields, image=IMAGE)


def test_whole_numbers_do_for_shares_in_json() -> None:
    fields: JSON = {**scenario().to_json(), "loss": 0, "profiles": {"v1": 2}}
    assert Scenario.from_json(fields, image=IMAGE) == scenario(loss=0.0, profiles={"v1": 2.0})


def test_versions_and_profiles_become_shares_of_kinds() -> None:
    assert scenario().shares == {"v2": 1.0}
    assert scenario(version=None).shares == {"v1": 1.0, "v2": 1.0}
    assert scenario(version=1, profiles={"renesas": 2.0}).shares == {"renesas": 2.0}


def test_parity_grows_with_loss_and_fleet() -> None:
    assert parity_for(100, loss=0, devices=1) == 1
    few, more = parity_for(100, loss=0.1, devices=1), parity_for(100, loss=0.3, devices=1)
    assert 20 <= few < more < parity_for(100, loss=0.3, devices=1000)
    assert parity_for(1, loss=0.5, devices=1) == 14
    assert parity_for(16000, loss=0.9, devices=1) == 383
