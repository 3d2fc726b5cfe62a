import random
from typing import Any

import pytest

from lorafuota.catalogue import package
from lorafuota.conformance._fleet import NEW_FW, Fleet
from lorafuota.conformance.serversubject import ServerAbout
from lorafuota.session.stacks import device_profile
from lorafuota.types import AppKey, GenAppKey

VERSIONS = {
    "clocksync": (1, 2),
    "fragmentation": (1, 2),
    "multicastsetup": (1, 2),
    "firmwaremanagement": (1,),
    "multipackage": (1,),
}


def fleet(name: str = "fragmentation", version: int = 2, **about: Any) -> Fleet:
    server = ServerAbout(**{"name": "server", "versions": VERSIONS, **about})
    rng = random.Random("test")
    return Fleet(server, package(name, version), rng=rng, seed="test")


def test_devices_are_kept_in_order_each_with_an_identity_of_its_own() -> None:
    one = fleet()
    made = [one.make() for _ in range(4)]
    assert list(one.devices.values()) == made
    assert [device.entry.dev_eui for device in made] == list(one.devices)
    assert len({device.entry.dev_addr for device in made}) == 4
    assert len({device.entry.root_key.reveal() for device in made}) == 4


def test_the_kinds_of_root_key_take_turns() -> None:
    one = fleet()
    kinds = [type(one.make().entry.root_key) for _ in range(4)]
    assert kinds == [GenAppKey, AppKey, GenAppKey, AppKey]


def test_the_same_seed_makes_the_same() -> None:
    first, second = fleet(), fleet()
    assert first.draw_image(40) == second.draw_image(40) == first.image
    assert first.make().entry == second.make().entry
    assert first.make().entry == second.make().entry


def test_a_device_waits_for_the_image_that_was_drawn_before_it_was_made() -> None:
    one = fleet()
    early = one.make()
    image = one.draw_image(40)
    late = one.make()
    assert len(image) == 40
    for device in (early, late):
        device.blocks.append(image)
    assert (early.has_block, late.has_block) == (False, True)
    assert late.finds == NEW_FW


@pytest.mark.parametrize(
    ("name", "version", "others"),
    [
        ("fragmentation", 1, 1),
        ("clocksync", 2, 2),
        ("firmwaremanagement", 1, 2),
        ("multipackage", 1, 2),
    ],
)
def test_the_version_is_the_checks_and_of_others_the_same_or_the_newest(
    name: str, version: int, others: int
) -> None:
    one = fleet(name, version)
    assert one.version(name) == version
    assert one.version("multicastsetup") == others
    profile = one.profile()
    assert profile.multicast is not None
    assert profile.multicast.package.version == others


def test_a_version_that_the_server_does_not_speak_gives_way_to_the_newest_it_does() -> None:
    one = fleet(versions={"fragmentation": (1, 2), "multicastsetup": (1,)})
    assert (one.version("multicastsetup"), one.version("clocksync")) == (1, 2)


def test_firmware_and_sets_are_there_on_request() -> None:
    one = fleet()
    assert (one.profile().firmware, one.profile().sets) == (None, None)
    full = one.profile(firmware=True, sets=True)
    assert full.firmware is not None
    assert full.sets is not None
    assert one.make(profile=full).entry.versions == {
        "clocksync": 2,
        "firmwaremanagement": 1,
        "fragmentation": 2,
        "multicastsetup": 2,
        "multipackage": 1,
    }


def test_a_stack_keeps_its_own_transport_and_gets_the_other_versions_of_the_check() -> None:
    old = device_profile("documents v1")
    plain = fleet().plain(old)
    assert plain.fragmentation == old.fragmentation
    assert plain.multicast == device_profile("documents v2").multicast


def test_a_server_that_asks_for_versions_is_told_none() -> None:
    assert fleet(can=frozenset({"asks-versions"})).make().entry.versions == {}


def test_ports_are_the_devices_and_told_unless_a_check_says_otherwise() -> None:
    one = fleet()
    told = one.make(fports={"fragmentation": 50})
    silent = one.make(fports={"fragmentation": 50}, told=False)
    assert (told.entry.fports, silent.entry.fports) == ({"fragmentation": 50}, {})
    assert [each.packages.fport("fragmentation") for each in (told, silent)] == [50, 50]


@pytest.mark.parametrize(
    ("can", "versions", "groups"),
    [
        ({"class-c"}, VERSIONS, True),
        ({"class-b", "unicast"}, VERSIONS, True),
        ({"unicast"}, VERSIONS, False),
        ({"class-c"}, {"fragmentation": (2,)}, False),
    ],
)
def test_devices_are_in_groups_where_the_server_has_them(
    can: set[str], versions: dict[str, tuple[int, ...]], groups: bool
) -> None:
    one = fleet(can=frozenset(can), versions=versions)
    assert one.by_groups is groups
    assert one.make().entry.multicast is groups
    assert one.make(multicast=not groups).entry.multicast is not groups
