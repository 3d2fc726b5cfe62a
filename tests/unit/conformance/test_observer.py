import pytest

from lorafuota.conformance.check import Failed
from lorafuota.conformance.fleetdevice import FleetDevice
from lorafuota.conformance.observer import Fragment, Observer
from lorafuota.conformance.serversubject import DeviceEntry, DeviceOutcome
from lorafuota.errors import FieldError
from lorafuota.fragmentation import v2
from lorafuota.link import McSender
from lorafuota.multicastsetup.v1 import McGroupSetupReq
from lorafuota.session.groupserver import McGroupServer
from lorafuota.session.stacks import device_profile
from lorafuota.types import AppKey, DevAddr, DevEUI, GenAppKey, McKey

EUI, ADDRESS, KEY = DevEUI(1), DevAddr(7), McKey(bytes(range(16)))
ROOT = GenAppKey(bytes(16))


def fleet() -> dict[DevEUI, FleetDevice]:
    entry = DeviceEntry(dev_eui=EUI, dev_addr=DevAddr(2), root_key=ROOT)
    return {EUI: FleetDevice(entry, device_profile("documents v2"), image=b"image")}


def setup(session_cnt: int) -> bytes:
    return v2.FragSessionSetupReq(
        mc_group_bit_mask=0,
        frag_index=1,
        nb_frag=2,
        frag_size=4,
        ack_reception=True,
        block_ack_delay=0,
        frag_algo=0,
        padding=0,
        descriptor=bytes(4),
        session_cnt=session_cnt,
        mic=bytes(4),
    ).encode()


def fragment(n: int, data: bytes) -> bytes:
    return b"\x08" + (n | 1 << 14).to_bytes(2, "little") + data


def test_a_payload_is_read_as_its_device_reads_it() -> None:
    one = Observer(fleet())
    one.unicast(1.0, EUI, 201, setup(3) + b"\x01\x02")
    [(sent, req)] = one.requests(v2.FragSessionSetupReq)
    assert (sent.time, req.session_cnt, len(sent.commands)) == (1.0, 3, 2)
    one.unicast(2.0, DevEUI(99), 201, b"\x00")
    one.unicast(3.0, EUI, 17, b"\x00")
    assert one.strays == [(2.0, DevEUI(99), 201, b"\x00")]
    assert one.sent[-1].package is None


def test_what_a_device_can_only_read_by_forgiving_fails_strictly() -> None:
    one = Observer(fleet())
    one.unicast(1.0, EUI, 201, setup(3) + b"\x00")
    one.unicast(2.0, EUI, 17, b"\xff")
    one.expect_strict("fragmentation")
    one.unicast(3.0, EUI, 201, b"\x03\x80")
    with pytest.raises(Failed, match="nothing was sent on the port of clocksync"):
        one.expect_strict("clocksync")
    with pytest.raises(Failed, match="03 80 is nothing that fragmentation/2 can read strictly"):
        one.expect_strict("fragmentation")
    other = Observer(fleet())
    other.unicast(1.0, EUI, 201, b"\x7f\x01")
    with pytest.raises(Failed, match="7f 01 is nothing"):
        other.expect_strict("fragmentation")


def test_fragment_number_0_can_be_seen_although_no_message_has_it() -> None:
    one = Observer(fleet())
    one.unicast(1.0, EUI, 201, fragment(0, b"abcd"))
    assert one.fragments_to(EUI) == [Fragment(0, 1, b"abcd")]
    assert Fragment.of(b"\x08\x01\x40") is None
    assert Fragment.of(b"\x01\x01\x40\x00") is None


def test_a_session_counter_is_used_by_the_first_fragment_that_is_heard() -> None:
    one = Observer(fleet())
    one.unicast(1.0, EUI, 201, setup(3))
    one.unicast(2.0, EUI, 201, setup(3))  # nothing was heard yet
    assert one.harm == []
    one.heard(EUI, 1)
    one.unicast(3.0, EUI, 201, setup(3))
    assert one.harm == [
        "a set-up of 0000000000000001 carries SessionCnt 3 although a fragment reached it under 3"
        " on FragIndex 1"
    ]


def test_a_number_with_other_data_is_harm_and_a_new_session_is_not() -> None:
    one = Observer(fleet())
    one.unicast(1.0, EUI, 201, setup(1))
    one.unicast(2.0, EUI, 201, fragment(1, b"abcd"))
    one.unicast(3.0, EUI, 201, fragment(1, b"abcd"))
    one.unicast(4.0, EUI, 201, setup(2))
    one.unicast(5.0, EUI, 201, fragment(1, b"efgh"))
    assert one.harm == []
    one.unicast(6.0, EUI, 201, fragment(1, b"abcd"))
    with pytest.raises(Failed, match="fragment 1 to 0000000000000001 went out twice, with other"):
        one.judge({})


def test_frames_are_read_with_the_key_a_member_was_given() -> None:
    one = Observer(fleet())
    server = McGroupServer(mc_addr=ADDRESS, mc_key=KEY, max_mc_fcnt=99)
    req: McGroupSetupReq = server.setup_req(ROOT, mc_group_id=0)
    one.unicast(1.0, EUI, 200, req.encode())
    sender = McSender.from_mc_key(KEY, ADDRESS, next_fcnt=5, max_mc_fcnt=99)
    frame = one.air(2.0, sender.seal(fragment(3, b"abcd"), fport=201))
    assert (frame.mc_addr, frame.fcnt, frame.fport) == (ADDRESS, 5, 201)
    assert frame.fragment == Fragment(3, 1, b"abcd")
    other = McSender.from_mc_key(McKey(bytes(16)), ADDRESS, next_fcnt=6, max_mc_fcnt=99)
    unread = one.air(3.0, other.seal(b"x", fport=201))
    assert (unread.fcnt, unread.payload) == (None, b"")
    assert one.air(4.0, b"\x60").mc_addr == 0


def test_a_payload_in_the_clear_becomes_the_frame_its_members_hear() -> None:
    one = Observer(fleet())
    assert one.clear(1.0, ADDRESS, 201, b"x", 0).phy is None  # nobody has the key
    one.add_key(ADDRESS, KEY)
    counted = [one.clear(2.0, ADDRESS, 201, b"x", None) for _ in range(2)]
    sender = McSender.from_mc_key(KEY, ADDRESS, next_fcnt=1, max_mc_fcnt=99)
    assert [frame.phy for frame in counted] == [sender.seal(b"x", fport=201) for _ in range(2)]


def test_a_counter_with_two_payloads_is_harm() -> None:
    one = Observer(fleet())
    one.add_key(ADDRESS, KEY)
    one.clear(1.0, ADDRESS, 201, b"x", 4)
    one.clear(2.0, ADDRESS, 201, b"x", 4)
    assert one.harm == []
    one.clear(3.0, ADDRESS, 201, b"y", 4)
    assert one.harm == ["frame counter 4 of group 00000007 is used for two payloads"]


def test_success_without_the_block_is_harm_unless_the_device_lies() -> None:
    devices = fleet()
    one = Observer(devices)
    one.judge({EUI: DeviceOutcome(1.0, EUI, "MissingFrag")})
    for said in (DeviceOutcome(1.0, EUI, "Successful"), DeviceOutcome(1.0, EUI, "", "verified")):
        with pytest.raises(Failed, match="although it does not have the block"):
            one.judge({EUI: said})
        devices[EUI].honest = False
        one.judge({EUI: said})
        devices[EUI].honest = True
    devices[EUI].blocks.append(b"image")
    one.judge({EUI: DeviceOutcome(1.0, EUI, "Successful")})


def test_a_key_of_another_class_is_refused() -> None:
    with pytest.raises(FieldError, match="mc_key"):
        Observer({}).add_key(ADDRESS, AppKey(bytes(16)))  # type: ignore[arg-type]
