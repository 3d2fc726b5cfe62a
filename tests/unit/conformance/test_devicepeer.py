import pytest

from lorafuota.conformance.check import Failed, NotApplicable
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.subject import (
    About,
    Advance,
    BlockDelivered,
    DeviceEvent,
    DeviceRequest,
    Downlink,
    Reply,
    Uplink,
)
from lorafuota.datablock import DataBlock
from lorafuota.fec import ParityVariant
from lorafuota.fragmentation import v1
from lorafuota.multicastsetup import v1 as mc


def peer() -> DevicePeer:
    return DevicePeer(OwnDevice("documents v1"), seed="test")


def test_what_comes_is_held_against_what_is_expected() -> None:
    one = peer()
    one.send(v1.PACKAGE, v1.PackageVersionReq())
    one.expect(v1.PACKAGE, v1.PackageVersionAns(package_identifier=3, package_version=1))
    one.send(v1.PACKAGE, v1.FragSessionDeleteReq(frag_index=2))
    with pytest.raises(Failed, match="expected nothing; came FragSessionDeleteAns"):
        one.expect(v1.PACKAGE)
    one.send(v1.PACKAGE, v1.FragSessionDeleteReq(frag_index=2))
    with pytest.raises(Failed, match="expected silence; came 03 06 on FPort 201"):
        one.expect_silence()


def test_a_block_reaches_the_device_through_a_group_of_the_kits() -> None:
    one = peer()
    group = one.new_group(1)
    setup = mc.McGroupSetupReq(
        mc_group_id=1,
        mc_addr=group.sender.mc_addr,
        mc_key_encrypted=group.mc_key_encrypted,
        min_mc_fcnt=0,
        max_mc_fcnt=0xFFFF,
    )
    assert one.ask(mc.PACKAGE, setup) == [mc.McGroupSetupAns(mc_group_id=1, id_error=False)]
    block = DataBlock.of(bytes(range(50)), frag_size=10)
    encoder = block.encoder(ParityVariant.V1)
    request = v1.FragSessionSetupReq(
        mc_group_bit_mask=2,
        frag_index=0,
        nb_frag=5,
        frag_size=10,
        block_ack_delay=0,
        frag_algo=0,
        padding=0,
        descriptor=bytes(4),
    )
    one.send(v1.PACKAGE, request)
    one.expect(v1.PACKAGE, v1.FragSessionSetupAns(errors=v1.SetupError(0), frag_index=0))
    for n in range(1, 6):
        fragment = v1.DataFragment(n=n, frag_index=0, payload=encoder.fragment(n))
        one.multicast(group, v1.PACKAGE, fragment)
    one.expect_block(0, bytes(range(50)))
    with pytest.raises(Failed, match="expected a block of 50 octets on FragIndex 0; came none"):
        one.expect_block(0, bytes(range(50)))


def said_to(profile: str | None) -> list[bytes]:
    """What the device of somebody is sent: a fragment by unicast, and one in a frame."""
    one = DevicePeer(Silent(), seed="test", profile=profile)
    fragment = v1.DataFragment(n=3, frag_index=1, payload=bytes(4))
    one.send(v1.PACKAGE, fragment)
    one.multicast(one.new_group(), v1.PACKAGE, fragment)
    one.send(v1.PACKAGE, v1.FragSessionDeleteReq(frag_index=1), b"\x08\x03\x40")
    return [event.payload for event in one.transcript if isinstance(event, Downlink)]


def test_the_dialect_of_a_stack_is_spoken_where_it_is_named() -> None:
    assert [one.hex(" ") for one in said_to("MultiTech Conduit")] == [
        "08 02 40 00 00 00 00",
        "08 02 40 00 00 00 00",
        "03 01 08 03 40",
    ]
    for profile in (None, "documents v1", "no such stack"):
        assert said_to(profile)[0].hex(" ") == "08 03 40 00 00 00 00"
    spoken = DevicePeer(OwnDevice("MultiTech Conduit"), seed="test", profile="MultiTech Conduit")
    plain = DevicePeer(OwnDevice("MultiTech Conduit"), seed="test")
    assert spoken.mc_ke_key.reveal() == bytes(16) != plain.mc_ke_key.reveal()


class Silent:
    """A device that cannot do anything."""

    about = About(name="silent", versions={"fragmentation": 1})

    def __init__(self, soon: float | None = None) -> None:
        self.soon = soon

    def exchange(self, request: DeviceRequest) -> Reply:
        return Reply((), None if self.soon is None else request.time + self.soon)


def test_a_device_that_cannot_do_what_a_check_needs_is_left_alone() -> None:
    one = DevicePeer(Silent(), seed="test")
    with pytest.raises(NotApplicable, match="does not have: frames"):
        one.frame(b"")
    with pytest.raises(NotApplicable, match="does not speak clocksync"):
        one.package("clocksync")
    assert one.package("fragmentation") is v1.PACKAGE
    with pytest.raises(NotApplicable, match="does not have: blocks"):
        one.expect_block(0, b"")


def test_a_device_that_wants_to_be_called_for_ever_fails() -> None:
    one = DevicePeer(Silent(1e-3), seed="test")
    with pytest.raises(Failed, match="called more than 20000 times"):
        one.expect_silence(within=21.0)


def test_time_passes_where_nothing_is_due() -> None:
    one = DevicePeer(Silent(), seed="test")
    before = one.now
    assert one.wait(7.5) == []
    assert one.now == before + 7.5


class Board:
    """A device with a clock of its own: waiting is over when something comes."""

    about = About(name="board", versions={"fragmentation": 1}, can=frozenset({"blocks"}))

    def __init__(self, *coming: DeviceEvent) -> None:
        self.time = 1000.0
        self.coming = list(coming)

    def now(self) -> float:
        return self.time

    def exchange(self, request: DeviceRequest) -> Reply:
        if not isinstance(request, Advance):
            return Reply()
        if self.coming and self.coming[0].time <= request.time:
            event = self.coming.pop(0)
            self.time = max(self.time, event.time)
            return Reply((event,))
        self.time = max(self.time, request.time)
        return Reply()


VERSION = v1.PackageVersionAns(package_identifier=3, package_version=1)


def told(time: float) -> Uplink:
    return Uplink(time, 201, VERSION.encode())


def test_real_time_ends_a_moment_after_everything_is_there() -> None:
    board = Board(told(1003.0), told(1005.0))
    one = DevicePeer(board, seed="test", clock=board.now)
    one.expect(v1.PACKAGE, VERSION)
    assert board.time == 1004.0
    one.expect(v1.PACKAGE, VERSION)
    assert board.time == 1006.0
    one.expect(v1.PACKAGE)  # silence takes as long as it takes
    assert board.time == 1026.0


def test_real_time_still_notices_what_comes_too_much() -> None:
    board = Board(told(1003.0), told(1003.5))
    one = DevicePeer(board, seed="test", clock=board.now)
    with pytest.raises(Failed, match=r"expected PackageVersionAns.*; came .*Ans.*, .*Ans"):
        one.expect(v1.PACKAGE, VERSION)


def test_real_time_takes_a_block_when_it_is_there() -> None:
    board = Board(told(1001.0), BlockDelivered(1002.0, 0, b"abc"))
    one = DevicePeer(board, seed="test", clock=board.now)
    one.expect_block(0, b"abc")
    assert board.time == 1003.0


def test_what_happens_in_a_pause_is_there_for_whoever_asks_next() -> None:
    board = Board(told(1001.0))
    one = DevicePeer(board, seed="test", clock=board.now)
    one.pause(5.0)
    assert (board.time, one.events(), one.events()) == (1005.0, [told(1001.0)], [])


def test_a_call_that_is_late_in_real_time_is_made_at_once() -> None:
    class Late(Board):
        def exchange(self, request: DeviceRequest) -> Reply:
            reply = super().exchange(request)
            self.time += 0.5
            return Reply(reply.events, None if reply.events else 1000.25)

    board = Late(told(1000.25))
    one = DevicePeer(board, seed="test", clock=board.now)
    one.wait(3.0)
    requests = [type(entry).__name__ for entry in one.transcript]
    assert requests == ["PowerOn", "Advance", "Uplink", "Advance"]


def test_a_question_is_over_in_real_time_when_each_command_has_its_answer() -> None:
    board = Board(told(1001.0))
    one = DevicePeer(board, seed="test", clock=board.now)
    assert one.ask(v1.PACKAGE, v1.PackageVersionReq()) == [VERSION]
    assert board.time == 1002.0


def test_an_answer_that_is_waited_for_may_come_just_in_time() -> None:
    board = Board(told(1005.0))
    one = DevicePeer(board, seed="test", clock=board.now, max_wait=10.0)
    one.expect(v1.PACKAGE, VERSION)
    with pytest.raises(NotApplicable, match="takes longer than the 10 s of real time it may"):
        one.expect_silence()
    half = Board(told(1005.0))
    other = DevicePeer(half, seed="test", clock=half.now, max_wait=10.0)
    with pytest.raises(NotApplicable, match="takes longer than the 10 s of real time it may"):
        other.expect(v1.PACKAGE, VERSION, VERSION, within=60.0)
    assert half.time == 1010.0


def test_what_happens_in_a_pause_is_kept_and_what_was_put_back_comes_first() -> None:
    one = peer()
    one.send(v1.PACKAGE, v1.PackageVersionReq())
    one.pause(5.0)
    [first] = one.events()
    one.send(v1.PACKAGE, v1.PackageVersionReq())
    one.put_back([first])
    assert [event.time - first.time for event in one.events()] == [0.0, 5.0]


class Due:
    """A device that wants to be called at times of its own, and counts the calls."""

    about = About(name="due", versions={"fragmentation": 1})

    def __init__(self, *due: float) -> None:
        self.due, self.called = list(due), list[float]()

    def exchange(self, request: DeviceRequest) -> Reply:
        self.called.append(request.time)
        while self.due and self.due[0] <= request.time:
            self.due.pop(0)
        return Reply(next=self.due[0] if self.due else None)


def test_times_are_whole_milliseconds_whatever_is_added_up() -> None:
    device = Due()
    one = DevicePeer(device, seed="test", start=1_400_000_000.0)
    for _ in range(400):
        one.pause(0.1)
    assert device.called == [round(1_400_000_000.0 + at / 10, 3) for at in range(401)]


def test_a_device_is_called_when_it_is_due_and_never_a_moment_before() -> None:
    device = Due(7.0, 7.0001, 7.0009, 8.25)
    DevicePeer(device, seed="test", start=0.0).pause(10.0)
    assert device.called == [0.0, 7.0, 7.001, 8.25, 10.0]


def test_the_shortest_pause_is_a_millisecond() -> None:
    one = DevicePeer(Due(), seed="test", start=5.0)
    one.pause(0.0001)
    assert one.now == 5.001
    one.pause(0.0)
    assert one.now == 5.001


def test_in_real_time_too_a_request_has_whole_milliseconds() -> None:
    device = Due()
    DevicePeer(device, seed="test", clock=lambda: 1_400_000_016.123456)
    assert device.called == [1_400_000_016.123]
