import math

import pytest

from lorafuota.conformance.replies import DeviceRules, ServerRules, WrongReply
from lorafuota.conformance.serversubject import (
    AddDevice,
    Begin,
    DeviceOutcome,
    Downlink,
    Ended,
    MulticastDownlink,
    MulticastFrame,
    ServerEvent,
    ServerRequest,
    WindowAnnounced,
)
from lorafuota.conformance.serversubject import Uplink as ServerUplink
from lorafuota.conformance.subject import Advance, PowerOn, Rebooted, Uplink
from lorafuota.types import DevAddr, DevEUI
from tests.unit.conformance.test_own import power_on
from tests.unit.conformance.test_serverlines import ENTRY, EUI, GROUP

STRANGER = DevEUI(99)


# Devices


def test_an_event_of_a_device_lies_between_two_requests() -> None:
    rules = DeviceRules()
    rules.ask(power_on(10.0))
    rules.done()
    rules.ask(Advance(20.0))
    for event in (Uplink(10.0, 1, b""), Rebooted(15.0), Uplink(20.0, 1, b"")):
        assert rules.take(event) is event
    with pytest.raises(WrongReply, match=r"Rebooted is of 19.9, but it was 20.0 before"):
        rules.take(Rebooted(19.9))
    with pytest.raises(WrongReply, match=r"Rebooted is of 120.0, which is yet to come at 20.0"):
        rules.take(Rebooted(120.0))


def test_a_millisecond_is_forgiven_and_counts_for_nothing() -> None:
    now = 1_400_000_016.699984
    rules = DeviceRules()
    rules.ask(power_on(now))
    assert rules.take(Rebooted(1_400_000_016.7)) == Rebooted(now)
    rules.done()
    rules.ask(Advance(now + 1))
    assert rules.take(Rebooted(1_400_000_016.699)) == Rebooted(now)
    for wrong in (now - 0.0012, now + 1.0012):
        with pytest.raises(WrongReply):
            rules.take(Rebooted(wrong))


def test_time_begins_anew_with_a_factory_reset_only() -> None:
    rules = DeviceRules()
    first = power_on(10.0)
    rules.ask(first)
    rules.done()
    again = PowerOn(
        time=10.0,
        factory=False,
        clock_known=True,
        dev_eui=first.dev_eui,
        dev_addr=first.dev_addr,
        root_key=first.root_key,
    )
    rules.ask(again)
    with pytest.raises(WrongReply, match="before"):
        rules.take(Rebooted(5.0))
    rules.ask(power_on(5.0))
    assert rules.take(Rebooted(5.0)).time == 5.0


# Servers


def order(time: float) -> Begin:
    return Begin(
        time=time,
        image=b"image",
        frag_size=10,
        descriptor=bytes(4),
        redundancy=0.2,
        devices=(ENTRY,),
        groups=(GROUP,),
    )


def following(*requests: ServerRequest) -> ServerRules:
    rules = ServerRules()
    for request in requests[:-1]:
        rules.ask(request)
        rules.done()
    rules.ask(requests[-1])
    return rules


@pytest.mark.parametrize(
    "event",
    [
        Downlink(10.0, EUI, 201, b""),
        Downlink(9_000.0, EUI, 201, b""),
        MulticastDownlink(9_000.0, GROUP.mc_addr, 201, b""),
        MulticastFrame(9_000.0, b"\x60"),
        WindowAnnounced(20.0, GROUP.mc_addr, 5_000.0, 6_000.0),
        DeviceOutcome(15.0, EUI, "Successful"),
        Ended(20.0),
    ],
)
def test_what_goes_on_air_may_be_handed_out_ahead(event: ServerEvent) -> None:
    assert following(order(10.0), Advance(20.0)).take(event) is event


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (Downlink(9.0, EUI, 201, b""), "Downlink is of 9.0, but it was 10.0 before"),
        (MulticastFrame(-5.0, b"\x60"), "MulticastFrame is of -5.0, but it was 10.0 before"),
        (Ended(20.1), "Ended is of 20.1, which is yet to come at 20.0"),
        (DeviceOutcome(math.inf, EUI, "Successful"), "yet to come"),
        (
            Downlink(20.0, STRANGER, 201, b""),
            "Downlink is of device 0000000000000063, which is not known",
        ),
        (DeviceOutcome(20.0, STRANGER, "Successful"), "device 0000000000000063, which is not kn"),
        (
            DeviceOutcome(20.0, EUI, "Great"),
            "DeviceOutcome.status = 'Great': expected one of Init",
        ),
        (
            DeviceOutcome(20.0, EUI, "", "verified"),
            "status = '': expected one of Initial, Package_Not_Supported",
        ),
        (
            DeviceOutcome(20.0, EUI, "Successful", "home"),
            "reached = 'home': expected one of nothing, transported, verified, image valid, ins",
        ),
        (
            MulticastDownlink(20.0, DevAddr(8), 201, b""),
            "MulticastDownlink is of group 00000008, which is not known",
        ),
        (WindowAnnounced(20.0, DevAddr(8), 30.0, 40.0), "of group 00000008, which is not known"),
        (WindowAnnounced(20.0, GROUP.mc_addr, 40.0, 30.0), "ends at 30.0, before it starts"),
    ],
)
def test_an_event_of_a_server_that_cannot_be_is_told(event: ServerEvent, sentence: str) -> None:
    rules = following(order(10.0), Advance(20.0))
    with pytest.raises(WrongReply, match=sentence):
        rules.take(event)


def test_a_word_that_may_be_a_key_is_not_repeated() -> None:
    with pytest.raises(WrongReply) as error:
        following(order(10.0)).take(DeviceOutcome(10.0, EUI, "ab" * 16))
    assert str(error.value).startswith("DeviceOutcome.status: expected one of Initial, ")


def test_events_ahead_of_their_time_need_no_order() -> None:
    rules = following(order(10.0))
    ahead = [Downlink(at, EUI, 201, b"") for at in (90.0, 80.0)]
    assert [rules.take(one) for one in ahead] == ahead


def test_a_server_knows_who_was_added_and_whom_it_heard_until_it_begins_anew() -> None:
    added = AddDevice(20.0, ENTRY)
    new = Begin(time=10.0, image=b"", frag_size=10, descriptor=bytes(4), redundancy=0.0, devices=())
    rules = following(new, added, ServerUplink(20.0, STRANGER, 201, b""))
    for dev_eui in (EUI, STRANGER):
        rules.take(Downlink(20.0, dev_eui, 201, b""))
    rules.ask(new)
    for dev_eui in (EUI, STRANGER):
        with pytest.raises(WrongReply, match="not known"):
            rules.take(Downlink(10.0, dev_eui, 201, b""))
