import dataclasses

from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.explain import Step, explain
from lorafuota.conformance.explainserver import explain_server
from lorafuota.conformance.serversubject import (
    AddDevice,
    Advance,
    Begin,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    Ended,
    GroupOrder,
    MulticastDownlink,
    MulticastFrame,
    RemoveDevice,
    Restart,
    Uplink,
    WindowAnnounced,
)
from lorafuota.types import GenAppKey

OLD = DeviceEntry(
    dev_eui=DevEUI(1),
    dev_addr=DevAddr(2),
    root_key=GenAppKey(bytes(16)),
    versions={"fragmentation": 1},
)
UNTOLD = dataclasses.replace(OLD, dev_eui=DevEUI(3), versions={})
GROUP = GroupOrder(
    frag_version=1,
    mc_addr=DevAddr(9),
    mc_key=None,
    max_mc_fcnt=100,
    device_class="C",
    dl_freq_hz=869_525_000,
    dr=0,
    frame_seconds=0.4,
    spacing_seconds=2.0,
)


def test_what_a_server_did_is_told_step_by_step() -> None:
    begin = Begin(
        time=100.0,
        image=b"abc",
        frag_size=10,
        descriptor=bytes(4),
        redundancy=0.1,
        devices=(OLD,),
        groups=(GROUP,),
    )
    transcript = [
        begin,
        Downlink(100.0, DevEUI(1), 201, b"\x00"),
        Advance(101.0),
        Uplink(102.0, DevEUI(1), 201, bytes.fromhex("0102400300")),
        AddDevice(103.0, UNTOLD),
        Uplink(103.0, DevEUI(3), 201, bytes.fromhex("0100024003")),
        Uplink(103.0, DevEUI(8), 7, b"a"),
        MulticastDownlink(104.0, DevAddr(9), 201, bytes.fromhex("0101"), fcnt=7),
        MulticastDownlink(104.0, DevAddr(8), 7, b"a"),
        MulticastFrame(104.0, b"\x60"),
        WindowAnnounced(104.0, DevAddr(9), 200.0, 328.0),
        RemoveDevice(104.0, DevEUI(3)),
        Restart(104.0),
        DeviceOutcome(105.0, DevEUI(1), "Successful", "verified", "told twice"),
        DeviceOutcome(105.0, DevEUI(1), "Initial"),
        Ended(106.0),
        Advance(110.0),
    ]
    assert list(explain(transcript, explain_server())) == [
        Step(
            0.0,
            "begin: 3 octets to 1 devices, 1 groups",
            ("0000000000000001: fragmentation/1",),
        ),
        Step(0.0, "down to 0000000000000001, FPort 201: 00", ("PackageVersionReq()",)),
        Step(
            2.0,
            "up of 0000000000000001, FPort 201: 01 02 40 03 00",
            (
                "FragSessionStatusAns(nb_frag_received=2, frag_index=1, missing_frag=3, "
                "not_enough_matrix_memory=False)",
            ),
        ),
        Step(3.0, "one more device", ("0000000000000003: versions not told",)),
        Step(
            3.0,
            "up of 0000000000000003, FPort 201: 01 00 02 40 03",
            (
                "FragSessionStatusAns(memory_error=False, mic_error=False, "
                "session_does_not_exist=False, nb_frag_received=2, frag_index=1, missing_frag=3)",
            ),
        ),
        Step(3.0, "up of 0000000000000008, FPort 7: 61"),
        Step(
            4.0,
            "down by multicast to 00000009, FCnt 7, FPort 201: 01 01",
            ("FragSessionStatusReq(participants=True, frag_index=0)",),
        ),
        Step(4.0, "down by multicast to 00000008, FPort 7: 61"),
        Step(4.0, "down, a frame: 60"),
        Step(4.0, "a window of 00000009 for 128 s"),
        Step(4.0, "0000000000000003 is taken out"),
        Step(4.0, "restart"),
        Step(5.0, "0000000000000001 ends as Successful, verified (told twice)"),
        Step(5.0, "0000000000000001 ends as Initial"),
        Step(6.0, "ended"),
        Step(10.0, "nothing more"),
    ]
