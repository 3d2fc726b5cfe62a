import sys
from collections import deque
from collections.abc import Iterator

import pytest

from lorafuota.conformance.lines import LineError, hello
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import Outcome, run_server_checks
from lorafuota.conformance.server import SERVER_CHECKS
from lorafuota.conformance.serverlines import (
    SERVER_EVENTS,
    SERVER_REQUESTS,
    LineServer,
    server_answers,
)
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
    ServerAbout,
    ServerEvent,
    ServerRequest,
    Uplink,
    WindowAnnounced,
)
from lorafuota.conformance.subject import SubjectError
from lorafuota.conformance.transports.process import ProcessChannel
from lorafuota.types import AppKey, DevAddr, DevEUI, GenAppKey, McKey

EUI = DevEUI(1)
ENTRY = DeviceEntry(
    dev_eui=EUI,
    dev_addr=DevAddr(2),
    root_key=GenAppKey(bytes(range(16))),
    versions={"fragmentation": 2},
    fports={"fragmentation": 61},
)
GROUP = GroupOrder(
    frag_version=2,
    mc_addr=DevAddr(7),
    mc_key=McKey(bytes(16)),
    max_mc_fcnt=9,
    device_class="C",
    dl_freq_hz=869_525_000,
    dr=5,
    frame_seconds=0.4,
    spacing_seconds=2.0,
)
REQUESTS: list[ServerRequest] = [
    Begin(
        time=1.0,
        image=b"image",
        frag_size=10,
        descriptor=bytes(4),
        redundancy=0.2,
        devices=(ENTRY, DeviceEntry(dev_eui=EUI, dev_addr=DevAddr(3), root_key=AppKey(bytes(16)))),
        groups=(GROUP,),
        fw_version=7,
    ),
    Uplink(2.0, EUI, 201, b"\x02\x00"),
    Advance(3.0),
    Restart(4.0),
    AddDevice(5.0, ENTRY),
    RemoveDevice(6.0, EUI),
]
EVENTS: list[ServerEvent] = [
    Downlink(1.0, EUI, 201, b"\x00"),
    MulticastDownlink(2.0, DevAddr(7), 201, b"\x08", 5),
    MulticastDownlink(2.0, DevAddr(7), 201, b"\x08"),
    MulticastFrame(3.0, b"\x60"),
    WindowAnnounced(4.0, DevAddr(7), 5.0, 6.0),
    DeviceOutcome(5.0, EUI, "Successful", "verified", "all is well"),
    Ended(6.0),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
def test_every_request_comes_back_from_its_line(request_: ServerRequest) -> None:
    assert SERVER_REQUESTS.decode(SERVER_REQUESTS.encode(request_)) == request_


@pytest.mark.parametrize("event", EVENTS, ids=repr)
def test_every_event_comes_back_from_its_line(event: ServerEvent) -> None:
    assert SERVER_EVENTS.decode(SERVER_EVENTS.encode(event)) == event


def test_a_line_is_as_plain_as_it_looks() -> None:
    line = SERVER_EVENTS.encode(EVENTS[0])
    assert line == (
        '{"event": "downlink", "time": 1.0, "dev_eui": "0000000000000001", "fport": 201,'
        ' "payload": "00"}'
    )
    with pytest.raises(LineError, match="downlink: payload is missing"):
        SERVER_EVENTS.decode(
            '{"event": "downlink", "time": 1, "dev_eui": "0000000000000001", "fport": 2}'
        )


class Wire:
    """A channel to a server in this process."""

    def __init__(self, server: OwnServer) -> None:
        self.sent: deque[str] = deque()
        self.answers = server_answers(server, self._lines())

    def _lines(self) -> Iterator[str]:
        while True:
            yield self.sent.popleft()

    def send(self, line: str) -> None:
        self.sent.append(line)

    def receive(self, seconds: float) -> bytes | None:
        try:
            return next(self.answers).encode()
        except (IndexError, RuntimeError, StopIteration):
            return None

    def unfinished(self) -> bytes:
        return b""

    def last_words(self) -> str:
        return ""

    def close(self) -> None:
        self.sent.clear()


PROGRAM = """
import sys
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.serverlines import server_answers
for line in server_answers(OwnServer(), sys.stdin):
    print(line, flush=True)
"""


def test_our_server_passes_behind_lines_as_well() -> None:
    server = LineServer(lambda: ProcessChannel([sys.executable, "-c", PROGRAM]), seconds=60.0)
    assert server.about == OwnServer().about
    wanted = ("ts004-v2/setup-mic", "ts005-v1/restart-window", "ts006-v1/installs")
    chosen = [one for one in SERVER_CHECKS if one.id in wanted]
    results = list(run_server_checks(chosen, server))
    server.close()
    assert [(one.outcome, one.reason) for one in results] == [(Outcome.PASSED, "")] * 3


def test_a_server_with_a_clock_of_its_own_is_not_played_with() -> None:
    class Clocked(Wire):
        def __init__(self) -> None:
            super().__init__(OwnServer())
            about = ServerAbout(name="slow", versions={}, real_time=True)
            self.answers = iter([hello("server", about)])

    with pytest.raises(SubjectError, match="would take weeks"):
        LineServer(Clocked)
