"""Addresses and identities in the wrong order, or somebody else's."""

from __future__ import annotations

from lorafuota.dissect.capture import Frame
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.dissect.mckey import reversed_address
from lorafuota.types import DOWNLINK, DevAddr, DevEUI
from tests.unit.dissect.support import EUI, GROUP, MC, Log, group_setup


def set_up(mc_addr: DevAddr = GROUP) -> Log:
    return Log().down(MC, group_setup(mc_addr=mc_addr)).up(MC, "0200")


def test_frames_to_the_reversed_address() -> None:
    assert set_up().group("0100", mc_addr=GROUP).names() == []
    log = set_up().group("0100", mc_addr=reversed_address(GROUP))
    found = log.find(Symptom.MC_ADDR_REVERSED)
    assert found.evidence[0].text == (
        "McGroupSetupReq says 01020304, the frames go to 04030201"
    )  # fmt: skip


def test_a_set_up_with_the_reversed_address_of_the_known_group() -> None:
    log = set_up(reversed_address(GROUP))
    assert log.names(mc_addr=GROUP) == ["mc-addr-reversed"]
    assert set_up().names(mc_addr=GROUP) == []
    assert set_up(DevAddr(5)).names(mc_addr=GROUP) == []


def test_frames_to_a_group_nobody_was_told_of() -> None:
    assert set_up().group("0100", mc_addr=DevAddr(5)).names() == ["mc-addr-of-no-group"]
    assert Log().group("0100").names() == []
    log = set_up()  # a stranger's downlink, heard by the same radio
    log.frames.append(Frame(direction=DOWNLINK, phy=bytes.fromhex("6005000000000000c90000000000")))
    assert log.names() == []


def test_identities_that_are_reversed_or_of_the_join_server() -> None:
    reverse = DevEUI(int.from_bytes(EUI.to_bytes(8, "little")))
    log = set_up()
    assert log.names(dev_eui=EUI) == []
    assert log.names(dev_eui=reverse) == ["dev-eui-reversed"]
    assert log.names(dev_eui=DevEUI(5), join_eui=EUI) == ["join-eui-for-dev-eui"]
    assert log.names(dev_eui=DevEUI(5)) == []
