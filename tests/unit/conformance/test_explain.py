from lorafuota import DevAddr
from lorafuota.catalogue import PackageMap
from lorafuota.conformance.explain import Step, explain, explain_device, octets_read, shown
from lorafuota.conformance.subject import (
    About,
    Advance,
    BlockDelivered,
    BlockLost,
    ClassChanged,
    Downlink,
    MulticastFrame,
    Rebooted,
    Uplink,
)
from lorafuota.types import DOWNLINK, UPLINK, Direction
from tests.unit.conformance.test_own import power_on

ABOUT = About(name="x", versions={"fragmentation": 1}, fports={"fragmentation": 99})


def test_what_went_over_the_link_is_told_step_by_step() -> None:
    transcript = [
        power_on(100.0),
        Downlink(100.0, 99, b"\x00"),
        Advance(101.0),
        Uplink(101.5, 99, bytes.fromhex("000301ff")),
        Downlink(102.0, 7, b"app", mc_addr=DevAddr(0xAB), fcnt=5),
        ClassChanged(102.0, "C", 1),
        ClassChanged(102.0, "A"),
        BlockDelivered(102.0, 2, b"\x01\x02"),
        BlockLost(102.0, 3),
        Rebooted(102.0),
        power_on(102.0, factory=False),
        Advance(110.0),
    ]
    assert list(explain(transcript, explain_device(ABOUT))) == [
        Step(0.0, "power on, as it left the factory; DevAddr 00000002"),
        Step(0.0, "down, FPort 99: 00", ("PackageVersionReq()",)),
        Step(
            1.5,
            "up, FPort 99: 00 03 01 ff",
            (
                "PackageVersionAns(package_identifier=3, package_version=1)",
                "UnknownCommand(cid=255, payload=no octets, offset=3, package=fragmentation/1)",
            ),
        ),
        Step(2.0, "down by multicast to 000000AB, FCnt 5, FPort 7: 61 70 70"),
        Step(2.0, "listens in class C for group 1"),
        Step(2.0, "listens in class A"),
        Step(2.0, "block complete, 2 octets on FragIndex 2: 01 02"),
        Step(2.0, "block lost on FragIndex 3"),
        Step(2.0, "reboots"),
        Step(2.0, "power on, keeping its flash; DevAddr 00000002"),
        Step(10.0, "nothing more"),
    ]


def test_payloads_are_read_by_whoever_is_asked_to() -> None:
    asked: list[tuple[int, str, bytes]] = []

    def read(
        packages: PackageMap, fport: int, direction: Direction, payload: bytes
    ) -> tuple[str, ...]:
        asked.append((packages.fport("fragmentation"), direction.value, payload))
        return ("first", "second")

    describe = explain_device(ABOUT, read=read)
    assert describe(Downlink(0.0, 99, b"\x00")) == ("down, FPort 99: 00", ("first", "second"))
    assert describe(Uplink(0.0, 7, b"\x01")) == ("up, FPort 7: 01", ("first", "second"))
    assert asked == [(99, "downlink", b"\x00"), (99, "uplink", b"\x01")]


def test_a_frame_shows_its_header_however_short_it_is() -> None:
    phy = bytes.fromhex("60 efbeadde 10 0700 c9 aabb 01020304")
    describe = explain_device(ABOUT)
    assert describe(MulticastFrame(0.0, phy)) == (
        "down, a frame: 60 ef be ad de 10 07 00 c9 aa bb 01 02 03 04",
        (
            "MHDR 0x60, DevAddr DEADBEEF, FCtrl 0x10, FCnt 7, FPort 201, 2 octets encrypted, "
            "MIC 01020304",
        ),
    )
    assert describe(MulticastFrame(0.0, b"")) == (
        "down, a frame: no octets",
        ("shorter than any frame",),
    )


def test_no_payload_is_too_odd_to_be_read() -> None:
    packages = PackageMap()
    assert octets_read(packages, 0, DOWNLINK, b"\x01") == ()
    assert octets_read(packages, 201, DOWNLINK, b"") == ()
    assert octets_read(packages, 225, DOWNLINK, bytes.fromhex("830001")) == ("PackageVersionReq()",)
    assert octets_read(packages, 201, DOWNLINK, bytes(300))[0].startswith("MalformedCommand")


def test_octets_and_flags_in_a_command_are_shown_as_people_read_them() -> None:
    packages = PackageMap({"fragmentation": 1})
    assert octets_read(packages, 201, UPLINK, bytes.fromhex("024b 0200")) == (
        "FragSessionSetupAns(errors=FRAG_ALGO_UNSUPPORTED | NOT_ENOUGH_MEMORY | WRONG_DESCRIPTOR, "
        "frag_index=1)",
        "FragSessionSetupAns(errors=0, frag_index=0)",
    )
    assert octets_read(packages, 201, DOWNLINK, bytes.fromhex("080100aabb")) == (
        "DataFragment(n=1, frag_index=0, payload=aa bb)",
    )
    assert octets_read(packages, 200, UPLINK, bytes.fromhex("0111 00 01020304")) == (
        "McGroupStatusAns(ans_group_mask=1, nb_total_groups=1, "
        "groups=(McGroup(mc_group_id=0, mc_addr=04030201)))",
    )
    [cut] = octets_read(packages, 201, DOWNLINK, b"\x02\x00")
    assert cut.startswith(
        "MalformedCommand(cid=2, payload=00, offset=0, error=FragSessionSetupReq: "
    )


def test_a_long_row_of_octets_is_cut() -> None:
    assert shown(bytes(64)) == " ".join(["00"] * 64)
    assert shown(bytes(65)).endswith("00 00 ... (65 octets)")
