import sys
import time

import pytest

from lorafuota.conformance.check import Catalogue
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.lines import hello
from lorafuota.conformance.run import Outcome, run_device_checks
from lorafuota.conformance.subject import About, Advance, Downlink, Reply, SubjectError, Uplink
from lorafuota.conformance.transports.device import LineDevice
from lorafuota.conformance.transports.process import ProcessChannel
from lorafuota.fragmentation.v1 import PACKAGE, PackageVersionReq
from tests.unit.conformance.test_own import power_on
from tests.unit.conformance.transports.support import DONE, HELLO, Scripted, event


def test_in_virtual_time_every_request_goes_over_the_line() -> None:
    uplink = event("uplink", time=2.0, fport=1, payload="")
    channel = Scripted([HELLO], [DONE], [uplink, event("done", next=4.0)])
    device = LineDevice(lambda: channel)
    assert device.clock is None
    assert device.exchange(power_on(1.0)) == Reply()
    assert device.exchange(Advance(3.0)) == Reply((Uplink(2.0, 1, b""),), 4.0)
    device.close()
    assert channel.closed == 1


def test_a_device_that_broke_is_there_again_for_the_next_check() -> None:
    channels = [Scripted([HELLO], [DONE], ["oh"]), Scripted([HELLO], [DONE])]
    device = LineDevice(lambda: channels.pop(0))
    device.exchange(power_on(100.0))
    with pytest.raises(SubjectError, match="the subject says 'oh'"):
        device.exchange(Advance(200.0))
    with pytest.raises(SubjectError, match="the link to the subject is broken"):
        device.exchange(power_on(200.0, factory=False))
    assert device.exchange(power_on(100.0)) == Reply()


OWN_CLOCK = hello("device", About(name="board", versions={}, real_time=True))


def test_a_device_with_a_clock_of_its_own_hears_no_advance() -> None:
    unasked = event("uplink", fport=1, payload="")
    channel = Scripted([OWN_CLOCK], [DONE, unasked])
    device = LineDevice(lambda: channel)
    assert device.clock is not None
    device.exchange(Downlink(device.clock.now(), 1, b""))
    before = device.clock.now()
    reply = device.exchange(Advance(before + 60.0))
    [came] = reply.events
    assert before <= came.time <= device.clock.now()
    assert (came, reply.next) == (Uplink(came.time, 1, b""), None)
    assert len(channel.heard) == 2


def test_real_time_waits_for_a_device_without_a_clock() -> None:
    channel = Scripted([HELLO], [DONE])
    device = LineDevice(lambda: channel, real_time=True)
    assert device.clock is not None
    began = time.monotonic()
    at = device.clock.now() + 0.05
    device.exchange(Advance(at))
    assert time.monotonic() - began >= 0.04
    assert channel.heard[1:] == [f'{{"request": "advance", "time": {at!r}}}']


BOARD = """
import json, sys, threading

def say(**fields):
    print(json.dumps(fields), flush=True)

def answer():
    say(event="uplink", fport=201, payload="000301")

for line in sys.stdin:
    request = json.loads(line)
    if request["request"] == "hello":
        print("# up", flush=True)
        say(event="hello", lorafuota=1, role="device", name="board", real_time=True,
            versions={"fragmentation": 1})
        continue
    assert request["request"] != "advance"
    if request.get("payload") == "00":
        threading.Timer(0.2, answer).start()
    say(event="done")
"""


def test_a_board_with_a_clock_of_its_own_is_played_with_in_real_time() -> None:
    device = LineDevice(lambda: ProcessChannel([sys.executable, "-c", BOARD]), seconds=30.0)
    assert device.clock is not None
    checks: Catalogue[DevicePeer] = Catalogue()

    @checks.check("fragmentation", (1,), "version", clause="-")
    def version(peer: DevicePeer) -> None:
        """The version is told."""
        peer.send(PACKAGE, PackageVersionReq())
        peer.expect(PACKAGE, PACKAGE.version_ans())

    @checks.check("fragmentation", (1,), "silence", clause="-")
    def silence(peer: DevicePeer) -> None:
        """Nothing is said."""
        peer.expect_silence()

    began = time.monotonic()
    answered, silent = run_device_checks(checks, device, clock=device.clock.now, max_wait=10.0)
    device.close()
    assert (answered.outcome, answered.reason) == (Outcome.PASSED, "")
    assert 1.0 <= answered.seconds <= 10.0
    assert (silent.outcome, silent.reason) == (
        Outcome.SKIPPED,
        "takes longer than the 10 s of real time it may",
    )
    assert time.monotonic() - began < 15
