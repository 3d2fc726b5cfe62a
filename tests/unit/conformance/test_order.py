import random
from typing import Any

import pytest

from lorafuota.catalogue import package
from lorafuota.conformance._fleet import NEW_FW, Fleet
from lorafuota.conformance._order import FRAME_SECONDS, SPACING_SECONDS, draw_order, need
from lorafuota.conformance.check import NotApplicable
from lorafuota.conformance.serversubject import Begin, ServerAbout
from lorafuota.errors import FieldError
from lorafuota.session.stacks import device_profile

VERSIONS = {"fragmentation": (1, 2), "multicastsetup": (1, 2), "clocksync": (1, 2)}


def fleet(*can: str, **about: Any) -> Fleet:
    server = ServerAbout(name="server", versions=VERSIONS, can=frozenset(can), **about)
    made = Fleet(server, package("fragmentation", 2), rng=random.Random("fleet"), seed="test")
    made.draw_image(40)
    return made


def order(of: Fleet, **how: Any) -> Begin:
    return draw_order(of, time=5.0, rng=random.Random("order"), **how)


def test_the_order_tells_of_every_device_and_of_what_is_delivered() -> None:
    one = fleet("unicast")
    devices = [one.make(), one.make()]
    assert order(one) == Begin(
        time=5.0,
        image=one.image,
        frag_size=10,
        descriptor=b"\x01\x02\x03\x04",
        redundancy=0.2,
        devices=tuple(each.entry for each in devices),
    )
    assert order(one, firmware=True).fw_version == NEW_FW


def test_there_is_a_group_for_each_version_among_the_devices_in_groups() -> None:
    one = fleet("unicast", "class-c")
    for version in (2, 1, 2):
        one.make(profile=device_profile(f"documents v{version}"))
    one.make(multicast=False)
    groups = order(one, max_mc_fcnt=99).groups
    assert [group.frag_version for group in groups] == [1, 2]
    assert len({group.mc_addr for group in groups}) == 2
    keys = [group.mc_key.reveal() for group in groups if group.mc_key is not None]
    assert len(set(keys)) == 2
    for group in groups:
        assert (group.device_class, group.max_mc_fcnt) == ("C", 99)
        assert (group.frame_seconds, group.spacing_seconds) == (FRAME_SECONDS, SPACING_SECONDS)


def test_a_server_that_draws_the_key_of_a_group_is_told_none() -> None:
    one = fleet("class-c", "own-mc-key")
    one.make()
    assert [group.mc_key for group in order(one).groups] == [None]


@pytest.mark.parametrize(
    ("can", "wanted", "drawn"),
    [
        (("class-b", "class-c"), None, "C"),
        (("class-b",), None, "B"),
        (("class-b", "class-c"), "B", "B"),
    ],
)
def test_the_class_of_the_groups_is_c_where_there_is_a_choice(
    can: tuple[str, ...], wanted: str | None, drawn: str
) -> None:
    one = fleet(*can)
    one.make()
    assert [group.device_class for group in order(one, device_class=wanted).groups] == [drawn]


@pytest.mark.parametrize(
    ("can", "multicast", "device_class", "missing"),
    [
        (("class-c",), False, None, "unicast"),
        (("unicast",), True, None, "class-b"),
        (("unicast", "class-c"), True, "B", "class-b"),
        (("unicast",), False, "C", "class-c"),
    ],
)
def test_what_a_server_cannot_do_is_not_asked_of_it(
    can: tuple[str, ...], multicast: bool, device_class: str | None, missing: str
) -> None:
    one = fleet(*can)
    one.make(multicast=multicast)
    with pytest.raises(NotApplicable, match=f"the server does not have: {missing}$"):
        order(one, device_class=device_class)


def test_a_fleet_larger_than_a_server_takes_is_not_asked_of_it() -> None:
    one = fleet("unicast", max_devices=1)
    one.make()
    order(one)
    one.make()
    with pytest.raises(NotApplicable, match="the server takes 1 devices"):
        order(one)


def test_an_update_needs_an_image_and_devices() -> None:
    one = fleet("unicast")
    with pytest.raises(FieldError, match="an image, then devices"):
        order(one)
    one.make()
    one.image = b""
    with pytest.raises(FieldError, match="an image, then devices"):
        order(one)


def test_everything_that_is_missing_is_named() -> None:
    about = ServerAbout(name="server", versions={}, can=frozenset({"pause"}))
    need(about, "pause")
    with pytest.raises(NotApplicable, match="does not have: cancel, restart"):
        need(about, "cancel", "pause", "restart")
