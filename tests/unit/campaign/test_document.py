"""The configuration as JSON: whole, strict, and with keys only when they are wrapped."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.campaign import CampaignConfig, FirmwareStep, FuotaCampaign, RetryPolicy, SqliteStore
from lorafuota.campaign.config import ClockCheck, WindowClass
from lorafuota.campaign.document import config_from_json, config_to_json
from lorafuota.campaign.quirks import StatusQuirk
from lorafuota.campaign.state import Stage
from lorafuota.errors import FieldError
from lorafuota.fec.variant import ParityVariant
from lorafuota.types import AppKey, GenAppKey, Key, McKey
from lorafuota.wire import JSON
from tests.unit.campaign.fleet import NEW, OLD, config, fleet, group, member

MEMBERS = (
    member(
        1, frag_version=2, quirks=StatusQuirk.MISSING_NEVER_FALLS | StatusQuirk.NEXT_VERSION_ZERO
    ),
    member(2, multicast=False, parity=ParityVariant.V2_ANNEX, fports={"fragmentation": 150}),
    member(3),
)
FULL = config(
    MEMBERS,
    groups=(
        group(),
        group(ParityVariant.V1, window_class=WindowClass.B, dl_freq_hz=0, dr=3, periodicity=2),
    ),
    firmware=FirmwareStep(version=NEW, base_version=OLD, reboot_at=1.4e9),
    retry=RetryPolicy(3, 7.5),
    retries={Stage.CLOCK: RetryPolicy(2, 60.0)},
    clock_check=ClockCheck.REQUIRED,
    block_ack_delay=3,
    airtime_budget_seconds=1_000.0,
)
SUBJECTS: dict[str, Key] = {
    **{f"device/{one.dev_eui}": one.root_key for one in FULL.members},
    **{f"group/{one.name}": one.mc_key for one in FULL.groups},
}


def mask(octets: bytes) -> bytes:
    """Stands in for the caller's encryption."""
    return bytes(octet ^ 0x5A for octet in octets) + b"tag"


def unmask(octets: bytes) -> bytes:
    assert octets.endswith(b"tag")
    return bytes(octet ^ 0x5A for octet in octets[:-3])


def stored(one: CampaignConfig, **how: Any) -> Any:
    return json.loads(json.dumps(config_to_json(one, **how)))


@pytest.mark.parametrize("one", [FULL, config([]), fleet((1, 2)).config])
def test_a_configuration_comes_back_with_wrapped_keys(one: CampaignConfig) -> None:
    assert config_from_json(stored(one, wrap=mask), unwrap=unmask) == one


def test_without_a_wrapper_no_key_is_written_and_the_caller_supplies_them() -> None:
    document = stored(FULL)
    assert config_from_json(document, keys=SUBJECTS) == FULL
    assert {one["root_key"]["wrapped"] for one in document["members"]} == {None}
    assert {one["mc_key"]["wrapped"] for one in document["groups"]} == {None}
    for subject in SUBJECTS:
        others = {name: key for name, key in SUBJECTS.items() if name != subject}
        with pytest.raises(FieldError, match=rf"^{subject}\.\w+_key = none written: .* in keys"):
            config_from_json(document, keys=others)


def test_wrapped_keys_need_the_other_half_of_the_wrapper() -> None:
    with pytest.raises(FieldError, match="a wrapped key: expected unwrap, or a key in keys"):
        config_from_json(stored(FULL, wrap=mask))
    assert config_from_json(stored(FULL, wrap=mask), keys=SUBJECTS) == FULL


def test_a_key_that_is_given_goes_before_the_one_that_is_written() -> None:
    other = McKey(bytes(16))
    found = config_from_json(stored(FULL, wrap=mask), unwrap=unmask, keys={"group/v2": other})
    assert found.groups[0].mc_key == other
    assert found.groups[1].mc_key == FULL.groups[1].mc_key


@pytest.mark.parametrize(
    "keys", [{"group/v2": GenAppKey(bytes(16))}, {"device/0000000000000001": McKey(bytes(16))}]
)
def test_a_key_of_the_wrong_kind_is_refused(keys: Mapping[str, Key]) -> None:
    with pytest.raises(FieldError, match=r"_key = (GenAppKey|McKey): expected"):
        config_from_json(stored(FULL, wrap=mask), unwrap=unmask, keys=keys)


def test_no_key_is_in_the_document_or_in_an_error() -> None:
    shown = json.dumps(stored(FULL)) + json.dumps(stored(FULL, wrap=mask))
    for short in (lambda octets: unmask(octets)[:-1], lambda octets: b""):
        with pytest.raises(FieldError, match="octets: expected 16 octets from unwrap") as caught:
            config_from_json(stored(FULL, wrap=mask), unwrap=short)
        shown += repr(caught.value) + str(caught.value)
    for key in SUBJECTS.values():
        assert key.reveal().hex() not in shown.lower()
        assert repr(key.reveal())[2:-1] not in shown


@pytest.mark.parametrize("schema", [0, 2, None, "1", True])
def test_another_schema_is_refused(schema: Any) -> None:
    with pytest.raises(FieldError, match=r"CampaignConfig.schema = .*: expected 1"):
        config_from_json({**stored(FULL), "schema": schema})


WRONG: list[tuple[tuple[Any, ...], Any, str]] = [
    (("redundancy",), "much", "redundancy = 'much'"),
    (("redundancy",), -0.5, "redundancy = -0.5"),
    (("max_rounds",), 1.5, "max_rounds = 1.5"),
    (("retry",), 5, "retry = a int: expected an object"),
    (("retry", "attempts"), 0, "attempts = 0"),
    (("retry", "more"), 0, r"fields = \['more'\]"),
    (("firmware", "version"), None, "version = None"),
    (("block",), [], "block = a list"),
    (("block",), {}, r"block = \[\]"),
    (("block", "image"), "*", "image = 1 characters: expected base64"),
    (("block", "frag_size"), "x", "frag_size = 'x'"),
    (("block", "descriptor"), "zz", "descriptor = 'zz'"),
    (("block", "descriptor"), "00", "descriptor = b"),
    (("members",), {}, "members = a dict: expected a list"),
    (("members", 0), 3, "members = a int"),
    (("members", 0, "dev_eui"), "xyz", "text = 'xyz'"),
    (("members", 0, "dev_eui"), 3, "dev_eui = 3"),
    (("members", 0, "quirks"), 1 << 20, "quirks = 1048576"),
    (("members", 0, "parity"), "v9", "parity = 'v9'"),
    (("members", 0, "fports"), {"fragmentation": "x"}, "fports = 'x'"),
    (("members", 0, "fports"), [], "fports = a list"),
    (("members", 0, "root_key"), None, "root_key = something else"),
    (("members", 0, "root_key", "kind"), "McKey", "root_key = 'McKey': expected GenAppKey"),
    (("members", 0, "root_key", "kind"), [], r"root_key = \[\]"),
    (("members", 0, "root_key", "wrapped"), "*", "root_key = 1 characters: expected base64"),
    (("groups", 0, "window_class"), "A", "window_class = 'A'"),
    (("groups", 0, "mc_addr"), 7, "mc_addr = 7"),
    (("groups", 0, "name"), None, "name = None"),
    (("more",), 1, r"document = \['more'\]"),
]


@pytest.mark.parametrize(("at", "value", "match"), WRONG)
def test_a_value_that_does_not_fit_is_refused(at: tuple[Any, ...], value: Any, match: str) -> None:
    document = stored(FULL, wrap=mask)
    inner = document
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    with pytest.raises(FieldError, match=match):
        config_from_json(document, unwrap=unmask)


@pytest.mark.parametrize("part", ["members", "groups", "block", "retry", "firmware"])
def test_a_field_that_is_missing_is_refused(part: str) -> None:
    document = stored(FULL)
    inner = document[part][0] if isinstance(document[part], list) else document[part]
    for name in list(inner):
        without = copy.deepcopy(document)
        place = without[part][0] if isinstance(without[part], list) else without[part]
        del place[name]
        with pytest.raises(FieldError, match="expected"):
            config_from_json(without, keys=SUBJECTS)


values: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


@given(value=values, field=st.sampled_from([*stored(FULL)]))
def test_any_value_at_all_gives_a_configuration_or_a_field_error(value: JSON, field: str) -> None:
    with contextlib.suppress(FieldError):
        config_from_json({**stored(FULL), field: value}, keys=SUBJECTS)


def test_a_store_alone_is_enough_to_go_on(tmp_path: Any) -> None:
    """Events, configuration and wrapped keys in one file."""
    one = fleet((1, 2, 2))
    with SqliteStore(tmp_path / "store", sync=False) as store:
        store.put_document("config", config_to_json(one.config, wrap=mask))
        one.store = store
        one.start().run_for(300)
    octets = (tmp_path / "store").read_bytes()
    assert not any(unit.member.root_key.reveal() in octets for unit in one.units.values())
    with SqliteStore(tmp_path / "store", sync=False) as store:
        again = config_from_json(store.document("config"), unwrap=unmask)
        assert FuotaCampaign(again, saved=store.load()).snapshot() == one.campaign.snapshot()
    assert isinstance(again.members[1].root_key, AppKey)
