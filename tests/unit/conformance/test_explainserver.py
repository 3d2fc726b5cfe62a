from lorafuota.catalogue import PackageMap, package
from lorafuota.conformance.explain import explain
from lorafuota.conformance.explainserver import explain_server
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import run_server_checks
from lorafuota.conformance.server import SERVER_CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    AddDevice,
    Cancel,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    MulticastDownlink,
    MulticastFrame,
    RemoveDevice,
    Restart,
    Uplink,
    WindowAnnounced,
)
from lorafuota.types import DevAddr, DevEUI, Direction, GenAppKey

EUI = DevEUI(1)
ENTRY = DeviceEntry(dev_eui=EUI, dev_addr=DevAddr(2), root_key=GenAppKey(bytes(16)))


def test_a_whole_update_can_be_read_with_the_versions_the_devices_tell() -> None:
    peer = ServerPeer(OwnServer(), package=package("fragmentation", 1), seed="told")
    [device] = peer.play(1)
    peer.finish()
    steps = list(explain(peer.transcript, explain_server()))
    eui = device.entry.dev_eui
    assert steps[0].what == "begin: 195 octets, FragSize 10, Descriptor 01020304"
    assert steps[0].details[0] == f"{eui}: GenAppKey, multicast"
    [setup] = [one for one in steps if "FragSessionSetupReq" in " ".join(one.details)]
    assert setup.what.startswith(f"{eui} down, FPort 201: 02 01 14 00 0a")
    assert len(setup.details) == 1  # as version 1 reads it; version 2 would want six octets more
    assert "session_cnt" not in setup.details[0]
    assert any("DataFragment(n=20" in " ".join(one.details) for one in steps)
    assert [one.what for one in steps[-2:]] == [
        f"{eui} is Successful, transported, transport complete",
        "the update is over",
    ]


def test_payloads_are_read_by_whoever_is_asked_to_with_the_versions_the_device_tells() -> None:
    versions: list[dict[str, int]] = []

    def read(
        packages: PackageMap, fport: int, direction: Direction, payload: bytes
    ) -> tuple[str, ...]:
        versions.append(dict(packages.versions))
        return (f"{fport} {direction.value} {payload.hex()}",)

    describe = explain_server(read=read)
    describe(AddDevice(0.0, ENTRY))
    assert describe(Downlink(0.0, EUI, 201, b"\x00")) == (
        f"{EUI} down, FPort 201: 00",
        ("201 downlink 00",),
    )
    told = bytes.fromhex("000301")
    assert describe(Uplink(0.0, EUI, 201, told)) == (
        f"{EUI} up, FPort 201: 00 03 01",
        ("201 uplink 000301",),
    )
    assert describe(MulticastDownlink(0.0, DevAddr(7), 201, b"\x08")) == (
        "to group 00000007, FPort 201: 08",
        ("201 downlink 08",),
    )
    assert versions == [{}, {"fragmentation": 1}, {}]


def test_everything_else_has_its_words() -> None:
    describe = explain_server()
    entries = [
        AddDevice(1.0, ENTRY),
        Uplink(1.0, EUI, 201, b"\x00\x03\x09"),
        RemoveDevice(1.0, EUI),
        Restart(1.0),
        Cancel(1.0),
        WindowAnnounced(1.0, DevAddr(7), 61.0, 125.0),
        MulticastFrame(1.0, b"\x60\x01"),
        DeviceOutcome(1.0, EUI, "MissingFrag"),
        Uplink(1.0, DevEUI(9), 201, b"\x00"),
    ]
    described = [describe(one) for one in entries]
    assert [one[0] for one in described if one is not None] == [
        "the operator adds 0000000000000001",
        "0000000000000001 up, FPort 201: 00 03 09",
        "the operator removes 0000000000000001",
        "the process is killed, and comes back",
        "the operator: cancel",
        "group 00000007 listens in 60 s for 64 s",
        "a frame: 60 01",
        "0000000000000001 is MissingFrag",
        "0000000000000009 up, FPort 201: 00",
    ]


def test_no_transcript_of_any_check_cannot_be_read() -> None:
    chosen = [one for one in SERVER_CHECKS if one.name in ("flood", "ports", "mixed", "pieces")]
    for result in run_server_checks(chosen, OwnServer()):
        assert len(list(explain(result.transcript, explain_server()))) > 10
