"""Checks of TS005 groups: set-up, status, delete, and that commands come by unicast only."""

from __future__ import annotations

import dataclasses
from typing import Final

from ...multicastsetup import v1
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import ClassChanged, Uplink
from .group import (
    WINDOW_LEAD,
    class_c_req,
    expect_deaf,
    expect_hears,
    hears,
    listen,
    rekeyed,
    set_up_group,
    setup_req,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_SETUP: Final = "TS005, McGroupSetupReq"
_KEYS: Final = "TS005, McKey; LoRaMac-node issues 936, 840 and 766; chirpstack issue 686"
_STATUS: Final = "TS005, McGroupStatusAns"
_DELETE: Final = "TS005, McGroupDeleteAns"


def _expect_groups(peer: DevicePeer, mask: int, *groups: v1.McGroup, total: int) -> None:
    package = peer.package("multicastsetup")
    wanted = v1.McGroupStatusAns(
        ans_group_mask=sum(1 << one.mc_group_id for one in groups),
        nb_total_groups=total,
        groups=groups,
    )
    peer.events()
    peer.send(package, v1.McGroupStatusReq(req_group_mask=mask))
    peer.expect(package, wanted)


def _total(peer: DevicePeer) -> int:
    """Return how many groups the device says it holds."""
    package = peer.package("multicastsetup")
    came = peer.ask(package, v1.McGroupStatusReq(req_group_mask=0))
    if len(came) != 1 or not isinstance(came[0], v1.McGroupStatusAns):
        raise NotApplicable("the device does not answer McGroupStatusReq")
    return came[0].nb_total_groups


# --- Status ---------------------------------------------------------------------------------------


@CHECKS.check("multicastsetup", _BOTH, "status-empty", clause=_STATUS)
def status_empty(peer: DevicePeer) -> None:
    """A fresh device holds no group, and says so."""
    _expect_groups(peer, 15, total=0)
    _expect_groups(peer, 0, total=0)


@CHECKS.check("multicastsetup", _BOTH, "status-one", clause=_STATUS)
def status_one(peer: DevicePeer) -> None:
    """A group is listed with its McGroupID and its address, least significant octet first."""
    group = set_up_group(peer, peer.subject.about.mc_groups - 1)
    index = group.mc_group_id
    line = v1.McGroup(mc_group_id=index, mc_addr=group.sender.mc_addr)
    _expect_groups(peer, 1 << index, line, total=1)


@CHECKS.check("multicastsetup", _BOTH, "status-mask", clause=_STATUS)
def status_mask(peer: DevicePeer) -> None:
    """Only groups that are asked for are listed; NbTotalGroups counts all the same.

    A known client counts the listed ones only, and a server believes that the others are gone.
    """
    first, second = set_up_group(peer, 0), set_up_group(peer, 1)
    lines = [
        v1.McGroup(mc_group_id=one.mc_group_id, mc_addr=one.sender.mc_addr)
        for one in (first, second)
    ]
    _expect_groups(peer, 0b0010, lines[1], total=2)
    _expect_groups(peer, 0b0001, lines[0], total=2)
    _expect_groups(peer, 0b0000, total=2)


@CHECKS.check(
    "multicastsetup", _BOTH, "status-undefined", clause=_STATUS, severity=Severity.RECOMMENDED
)
def status_undefined(peer: DevicePeer) -> None:
    """A group that is asked for and not defined is left out: there is no address to tell."""
    group = set_up_group(peer, 1)
    line = v1.McGroup(mc_group_id=1, mc_addr=group.sender.mc_addr)
    _expect_groups(peer, 15, line, total=1)


@CHECKS.check("multicastsetup", _BOTH, "status-all", clause=_STATUS)
def status_all(peer: DevicePeer) -> None:
    """All groups are listed in ascending order, as far as they fit the uplink.

    The highest are left out first.  A known stack has room for two whatever the data rate.
    """
    about = peer.subject.about
    lines: list[v1.McGroup] = []
    for index in reversed(range(about.mc_groups)):
        group = set_up_group(peer, index)
        lines.insert(0, v1.McGroup(mc_group_id=index, mc_addr=group.sender.mc_addr))
    room = (about.max_payload - 2) // 5
    _expect_groups(peer, 15, *lines[:room], total=about.mc_groups)


@CHECKS.check("multicastsetup", _BOTH, "status-reserved-bits", clause="TS005, RFU")
def status_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits of McGroupStatusReq are ignored."""
    group = set_up_group(peer, 0)
    package = peer.package("multicastsetup")
    came = peer.ask(package, b"\x01\xf1")
    line = v1.McGroup(mc_group_id=0, mc_addr=group.sender.mc_addr)
    if came != [v1.McGroupStatusAns(ans_group_mask=1, nb_total_groups=1, groups=(line,))]:
        raise Failed(f"expected group 0; came {came}")


# --- Set-up ---------------------------------------------------------------------------------------


def _declare_id(index: int) -> None:
    @CHECKS.check("multicastsetup", _BOTH, f"setup-{index}", clause=_KEYS)
    def accepted(peer: DevicePeer) -> None:
        """A group is set up, the answer names its McGroupID, and frames of it are heard.

        The keys come from the device's root key in three steps; a wrong one shows only here, since
        every set-up is answered alike.
        """
        group = set_up_group(peer, index)
        listen(peer, group)
        expect_hears(peer, group, "a frame of the group")

    if index == 0:
        return

    @CHECKS.check("multicastsetup", _BOTH, f"group-{index}-not-supported", clause=_SETUP)
    def refused(peer: DevicePeer) -> None:
        """A McGroupID the device has no place for is refused with IDerror, and not stored."""
        if index < peer.subject.about.mc_groups:
            raise NotApplicable(f"the device has a place for McGroupID {index}")
        package = peer.package("multicastsetup")
        peer.events()
        peer.send(package, setup_req(peer.new_group(index)))
        peer.expect(package, v1.McGroupSetupAns(mc_group_id=index, id_error=True))
        peer.send(package, v1.McGroupDeleteReq(mc_group_id=index))
        peer.expect(package, v1.McGroupDeleteAns(mc_group_id=index, mc_group_undefined=True))


for _index in range(4):
    _declare_id(_index)


@CHECKS.check(
    "multicastsetup", _BOTH, "setup-reserved-bits", clause="LoRaMac-node issue 1275; TS005, RFU"
)
def setup_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside McGroupID are ignored.

    Used as an index without a mask they reach far behind the table of groups.
    """
    group = peer.new_group(0)
    octets = bytearray(setup_req(group).encode())
    octets[1] |= 0xFC
    came = peer.ask(peer.package("multicastsetup"), bytes(octets))
    if came != [v1.McGroupSetupAns(mc_group_id=0, id_error=False)]:
        raise Failed(f"expected group 0 to be set up; came {came}")
    listen(peer, group)
    expect_hears(peer, group, "a frame of the group")


@CHECKS.check("multicastsetup", _BOTH, "setup-replaces", clause=_SETUP)
def setup_replaces(peer: DevicePeer) -> None:
    """A second set-up of a group replaces address, keys and counters: the old ones are gone."""
    old, new = set_up_group(peer, 0), set_up_group(peer, 0)
    listen(peer, new)
    expect_deaf(peer, old, "a frame of the group that was replaced")
    expect_hears(peer, new, "a frame of the new group")


@CHECKS.check(
    "multicastsetup", _BOTH, "setup-same-address", clause="TS005, McKey", needs=["frames"]
)
def setup_same_address(peer: DevicePeer) -> None:
    """A set-up with the same address and another McKey brings the new key into use.

    It is how a server replaces a key that is known to too many.
    """
    old = set_up_group(peer, 0)
    new = rekeyed(peer, old, 0)
    peer.ask(peer.package("multicastsetup"), setup_req(new))
    listen(peer, new)
    expect_deaf(peer, old, "a frame under the old key")
    expect_hears(peer, new, "a frame under the new key")


@CHECKS.check("multicastsetup", _BOTH, "setup-repeat", clause="TS005: requests are repeatable")
def setup_repeat(peer: DevicePeer) -> None:
    """The same set-up again gets the same answer, and frames are heard as before."""
    group = set_up_group(peer, 0)
    package = peer.package("multicastsetup")
    for _ in range(2):
        peer.send(package, setup_req(group))
        peer.expect(package, v1.McGroupSetupAns(mc_group_id=0, id_error=False))
    listen(peer, group)
    expect_hears(peer, group, "a frame of the group")


@CHECKS.check("multicastsetup", _BOTH, "setup-keeps-others", clause=_SETUP)
def setup_keeps_others(peer: DevicePeer) -> None:
    """Groups do not disturb each other: a set-up and a delete concern one of them."""
    first, second = set_up_group(peer, 0), set_up_group(peer, 1)
    listen(peer, first, second)
    expect_hears(peer, first, "a frame of the first group")
    expect_hears(peer, second, "a frame of the second group")
    package = peer.package("multicastsetup")
    peer.ask(package, v1.McGroupDeleteReq(mc_group_id=0))
    expect_deaf(peer, first, "a frame of the deleted group")
    expect_hears(peer, second, "a frame of the group that is left")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "setup-min-above-max",
    clause="TS005, minMcFCount and maxMcFCount; promise S9",
    severity=Severity.RECOMMENDED,
)
def setup_min_above_max(peer: DevicePeer) -> None:
    """A group whose minMcFCount is above its maxMcFCount is refused, or at least hears nothing.

    IDerror is the only refusal there is.  A good set-up afterwards shows that the silence was one
    about this group, and not the end of the device.
    """
    group = peer.new_group(0, min_mc_fcnt=100, max_mc_fcnt=200)
    bad = dataclasses.replace(setup_req(group), min_mc_fcnt=200, max_mc_fcnt=100)
    package = peer.package("multicastsetup")
    came = peer.ask(package, bad)
    if came != [v1.McGroupSetupAns(mc_group_id=0, id_error=True)]:
        listen(peer, group)
        for fcnt in (100, 150, 200, 300):
            expect_deaf(peer, group, f"a frame with counter {fcnt}", fcnt=fcnt)
    peer.ask(package, v1.McGroupDeleteReq(mc_group_id=0))
    good = set_up_group(peer, 0)
    listen(peer, good)
    expect_hears(peer, good, "a frame of a good group after that")


@CHECKS.check(
    "multicastsetup", _BOTH, "setup-refused-keeps", clause=_SETUP, severity=Severity.RECOMMENDED
)
def setup_refused_keeps(peer: DevicePeer) -> None:
    """A set-up that is refused leaves the group of its McGroupID alone."""
    group = set_up_group(peer, 0)
    bad = dataclasses.replace(setup_req(peer.new_group(0)), min_mc_fcnt=2, max_mc_fcnt=1)
    came = peer.ask(peer.package("multicastsetup"), bad)
    if came != [v1.McGroupSetupAns(mc_group_id=0, id_error=True)]:
        raise NotApplicable("the device does not refuse minMcFCount above maxMcFCount")
    listen(peer, group)
    expect_hears(peer, group, "a frame of the group")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "setup-while-running",
    clause="TS005, McGroupSetupReq",
    needs=["class-c"],
)
def setup_while_running(peer: DevicePeer) -> None:
    """A set-up that is answered in an open window is in force: the new keys are used.

    A known stack answers and keeps the old ones.
    """
    old = set_up_group(peer, 0)
    listen(peer, old)
    expect_hears(peer, old, "a frame of the group")
    new = set_up_group(peer, 0)
    expect_deaf(peer, old, "a frame of the group that was replaced")
    package = peer.package("multicastsetup")
    peer.ask(package, class_c_req(peer, new, time_out=10))
    peer.wait(WINDOW_LEAD + 5)
    expect_hears(peer, new, "a frame of the new group")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "same-address-twice",
    clause="TS005 leaves it open: the MIC decides",
    severity=Severity.RECOMMENDED,
    needs=["frames"],
)
def same_address_twice(peer: DevicePeer) -> None:
    """Two groups may have one address: the MIC tells which one a frame belongs to.

    Networks in radio range of each other choose addresses without asking.
    """
    first = set_up_group(peer, 0)
    if peer.subject.about.mc_groups < 2:
        raise NotApplicable("the device has one group")
    second = rekeyed(peer, first, 1)
    peer.ask(peer.package("multicastsetup"), setup_req(second))
    listen(peer, first, second)
    for group in (first, second, first):
        expect_hears(peer, group, f"a frame of group {group.mc_group_id}")


# --- Delete ---------------------------------------------------------------------------------------


@CHECKS.check("multicastsetup", _BOTH, "delete", clause=_DELETE)
def delete_group(peer: DevicePeer) -> None:
    """A delete is confirmed with the McGroupID, and a second one says that there was no group."""
    set_up_group(peer, 0)
    index = peer.subject.about.mc_groups - 1
    if index:
        set_up_group(peer, index)
    package = peer.package("multicastsetup")
    peer.send(package, v1.McGroupDeleteReq(mc_group_id=index))
    peer.expect(package, v1.McGroupDeleteAns(mc_group_id=index, mc_group_undefined=False))
    peer.send(package, v1.McGroupDeleteReq(mc_group_id=index))
    peer.expect(package, v1.McGroupDeleteAns(mc_group_id=index, mc_group_undefined=True))


@CHECKS.check("multicastsetup", _BOTH, "delete-undefined", clause=_DELETE)
def delete_undefined(peer: DevicePeer) -> None:
    """A delete of a group that was never set up says so, for every McGroupID."""
    package = peer.package("multicastsetup")
    for index in range(4):
        peer.send(package, v1.McGroupDeleteReq(mc_group_id=index))
        peer.expect(package, v1.McGroupDeleteAns(mc_group_id=index, mc_group_undefined=True))


@CHECKS.check("multicastsetup", _BOTH, "delete-deaf", clause="TS005, McGroupDeleteReq")
def delete_deaf(peer: DevicePeer) -> None:
    """Frames of a deleted group are not heard any more, not even in a window that was open."""
    group = set_up_group(peer, 0)
    listen(peer, group)
    expect_hears(peer, group, "a frame of the group")
    peer.ask(peer.package("multicastsetup"), v1.McGroupDeleteReq(mc_group_id=0))
    expect_deaf(peer, group, "a frame of the deleted group")


@CHECKS.check("multicastsetup", _BOTH, "delete-reserved-bits", clause="TS005, RFU")
def delete_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside McGroupID of a delete are ignored."""
    set_up_group(peer, 0)
    came = peer.ask(peer.package("multicastsetup"), b"\x03\xfc")
    if came != [v1.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=False)]:
        raise Failed(f"expected group 0 to be deleted; came {came}")


# --- Unicast only ---------------------------------------------------------------------------------


def _declare_by_multicast(name: str, what: str) -> None:
    def script(peer: DevicePeer) -> None:
        package = peer.package("multicastsetup")
        group, fresh = set_up_group(peer, 0), peer.new_group(1)
        listen(peer, group)
        request = {
            "status": v1.McGroupStatusReq(req_group_mask=15),
            "setup": setup_req(fresh),
            "delete": v1.McGroupDeleteReq(mc_group_id=0),
            "class-c": class_c_req(peer, 0, start=100.0, time_out=3),
            "class-b": v1.McClassBSessionReq(
                mc_group_id=0,
                session_time=int(peer.now // 128 + 4) * 128,
                time_out=1,
                periodicity=4,
                dl_freq_hz=peer.subject.about.dl_freq_hz,
                dr=peer.subject.about.dr,
            ),
        }[name]
        peer.events()
        peer.multicast(group, package, request)
        fport = peer.packages.fport(package.name)
        for event in peer.wait(400.0):
            if isinstance(event, Uplink) and event.fport == fport:
                raise Failed(f"expected silence; came {event.payload.hex(' ')}")
            if isinstance(event, ClassChanged):
                raise Failed(f"the device goes to class {event.device_class}")
        expect_hears(peer, group, "a frame of the group")
        peer.send(package, v1.McGroupDeleteReq(mc_group_id=1))
        peer.expect(package, v1.McGroupDeleteAns(mc_group_id=1, mc_group_undefined=True))

    script.__doc__ = (
        f"{what} by multicast is ignored, without an answer.\n\n"
        "Requests of this package are unicast only: any member of a group could move the others.\n"
        "Two stacks do not look."
    )
    CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"{name}-by-multicast",
        clause="TS005: unicast only; promise S10",
    )(script)


_declare_by_multicast("status", "McGroupStatusReq")
_declare_by_multicast("setup", "McGroupSetupReq")
_declare_by_multicast("delete", "McGroupDeleteReq")
_declare_by_multicast("class-c", "McClassCSessionReq")
_declare_by_multicast("class-b", "McClassBSessionReq")


# --- After a power cycle --------------------------------------------------------------------------


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "group-survives-reset",
    clause="TS005 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def group_survives_reset(peer: DevicePeer) -> None:
    """A group is there after a power cycle: nobody tells the server that it is gone."""
    group = set_up_group(peer, 0)
    peer.power_on()
    listen(peer, group)
    if not hears(peer, group) and not hears(peer, group, fcnt=5_000):
        raise Failed("the device has forgotten the group")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "deleted-survives-reset",
    clause="TS005, McGroupDeleteReq",
    needs=["power-cycle"],
)
def deleted_survives_reset(peer: DevicePeer) -> None:
    """A group that was deleted does not come back with a power cycle."""
    set_up_group(peer, 0)
    package = peer.package("multicastsetup")
    peer.ask(package, v1.McGroupDeleteReq(mc_group_id=0))
    peer.power_on()
    peer.send(package, v1.McGroupDeleteReq(mc_group_id=0))
    peer.expect(package, v1.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=True))
