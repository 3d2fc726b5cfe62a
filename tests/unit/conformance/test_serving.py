import json

from lorafuota.conformance.lines import DEVICE_REQUESTS, hello, hello_request
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.serving import answers
from lorafuota.conformance.subject import Advance, Downlink
from tests.unit.conformance.test_own import power_on


def test_a_python_device_answers_line_by_line() -> None:
    device = OwnDevice("documents v1")
    requests: list[str | bytes] = [
        hello_request(),
        DEVICE_REQUESTS.encode(power_on(0.0)),
        DEVICE_REQUESTS.encode(Downlink(1.0, 201, b"\x00")).encode(),
    ]
    about, done, uplink, again = answers(device, requests)
    assert about == hello("device", device.about)
    assert json.loads(done) == {"event": "done"}
    assert json.loads(uplink) == {"event": "uplink", "time": 1.0, "fport": 201, "payload": "000301"}
    assert json.loads(again) == {"event": "done"}


def test_what_it_cannot_read_or_do_is_an_error_and_the_next_line_counts() -> None:
    lines = ["nonsense\n", DEVICE_REQUESTS.encode(Advance(1.0)), hello_request()]
    unreadable, too_early, about = map(json.loads, answers(OwnDevice("documents v1"), lines))
    assert unreadable == {"event": "error", "reason": "a line that is no JSON"}
    assert too_early["event"] == "error"
    assert "the first request is PowerOn" in too_early["reason"]
    assert about["event"] == "hello"


def test_nothing_is_read_before_the_answer_is_written() -> None:
    read = 0

    def lines() -> object:
        nonlocal read
        for _ in range(3):
            read += 1
            yield hello_request()

    found = answers(OwnDevice("documents v1"), lines())  # type: ignore[arg-type]
    next(found)
    assert read == 1
