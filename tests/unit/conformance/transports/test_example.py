"""The example in C: built as it ships, played with, and fed what no kit would send."""

import dataclasses
import json
import pathlib
import random
import shutil
import subprocess
from collections.abc import Iterable, Iterator

import pytest

from lorafuota.conformance.check import Severity
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.lines import (
    DEVICE_EVENTS,
    DEVICE_REQUESTS,
    Done,
    hello_request,
    kind_of,
)
from lorafuota.conformance.run import Outcome, run_device_checks
from lorafuota.conformance.subject import (
    Advance,
    BlockDelivered,
    BlockLost,
    ClassChanged,
    DeviceEvent,
    DeviceRequest,
    DeviceSubject,
    Downlink,
    MulticastFrame,
    Rebooted,
    SubjectError,
    Uplink,
)
from lorafuota.conformance.transports import example
from lorafuota.conformance.transports.device import LineDevice
from lorafuota.conformance.transports.example import EXAMPLE, build, build_example, compiler
from lorafuota.conformance.transports.process import ProcessChannel
from lorafuota.types import AppKey, DevAddr, DevEUI, GenAppKey
from tests.unit.conformance.test_own import power_on

SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    if compiler() is None:
        pytest.skip("no C compiler")
    return build(tmp_path_factory.mktemp("example") / "device", flags=["-pedantic"])


@pytest.fixture(scope="module")
def checked_program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the program built with the sanitizers for addresses and undefined behaviour."""
    if compiler() is None:
        pytest.skip("no C compiler")
    directory = tmp_path_factory.mktemp("example")
    try:
        checked = build(directory / "checked", flags=SANITIZERS)
        subprocess.run([checked], input=b"", check=True, timeout=60)
    except (SubjectError, subprocess.CalledProcessError):
        pytest.skip("no sanitizers here")
    return checked


def device(program: pathlib.Path) -> Iterator[DeviceSubject]:
    subject = LineDevice(lambda: ProcessChannel([str(program)]))
    yield subject
    subject.close()


def not_passed(program: pathlib.Path, *severities: Severity) -> list[tuple[str, str, str]]:
    checks = [check for check in DEVICE_CHECKS if check.severity in severities]
    [subject] = device(program)
    results = list(run_device_checks(checks, subject))
    assert any(result.outcome is Outcome.PASSED for result in results)
    return [
        (result.check.id, result.outcome.value, result.reason)
        for result in results
        if not result.good
    ]


@needs_compiler
def test_it_passes_every_check_of_its_packages(program: pathlib.Path) -> None:
    assert not_passed(program, *Severity) == []


@needs_compiler
def test_no_check_makes_it_touch_memory_that_is_not_its_own(checked_program: pathlib.Path) -> None:
    assert not_passed(checked_program, Severity.REQUIRED) == []


MUTANTS = {
    "another tap of the shift register": ("x ^ x >> 5", "x ^ x >> 4"),
    "version 2 told": ("{0x00, 3, 1}", "{0x00, 3, 2}"),
    "no fragments taken": ("nb_frag == 0 || nb_frag", "nb_frag"),
    "receiver left on": (
        "memcmp(g->tuning, body + 6, 4) != 0) {\n        close_window(id);",
        "memcmp(g->tuning, body + 6, 4) != 0) {",
    ),
    "one fragment less than is told": ("nb_frag > MAX_NB_FRAG", "nb_frag >= MAX_NB_FRAG"),
}


@needs_compiler
@pytest.mark.parametrize("name", MUTANTS)
def test_a_device_with_a_fault_fails(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = MUTANTS[name]
    for path in EXAMPLE.iterdir():
        text = path.read_text("utf-8")
        assert path.name != "device.c" or right in text
        (tmp_path / path.name).write_text(text.replace(right, wrong), "utf-8")
    monkeypatch.setattr(example, "EXAMPLE", tmp_path)
    found = not_passed(build(tmp_path / "mutant"), *Severity)
    assert [outcome for _, outcome, _ in found if outcome == "failed"]


def run(program: pathlib.Path, lines: Iterable[bytes]) -> list[dict[str, object]]:
    done = subprocess.run(
        [program], input=b"\n".join(lines) + b"\n", capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


POWER_ON = (
    b'{"request": "power-on", "time": 1, "factory": true, "clock_known": true,'
    b' "dev_eui": "0000000000000001", "dev_addr": "00000002",'
    b' "GenAppKey": "000102030405060708090a0b0c0d0e0f"}'
)
HOSTILE = [
    b"",
    b"{",
    b"}",
    b"{}",
    b"null",
    b'{"request"}',
    b'{"request": }',
    b'{"request": "advance"}',
    b'{"request": "advance", "time": 1e400}',
    b'{"request": "advance", "time": -1}',
    b'{"request": "advance", "time": "1"x}',
    b'{"request": "advance", "time": {"a": 1}}',
    b'{"request": "ad\\u0076ance", "time": 1}',
    b'{"request": "downlink", "time": 1, "fport": 300, "payload": ""}',
    b'{"request": "downlink", "time": 1, "fport": 201, "payload": "0"}',
    b'{"request": "downlink", "time": 1, "fport": 201, "payload": "0g"}',
    b'{"request": "downlink", "time": 1, "fport": 201, "payload": "' + b"00" * 256 + b'"}',
    b'{"request": "downlink", "time": 1, "fport": 201, "payload": "00", "mc_addr": "00"}',
    b'{"request": "power-on", "time": 1}',
    POWER_ON.replace(b'"GenAppKey"', b'"OtherKey"'),
    POWER_ON.replace(b'"GenAppKey"', b'"AppKey": "' + b"00" * 16 + b'", "GenAppKey"'),
    POWER_ON.replace(b'"0001', b'"'),
    POWER_ON.replace(b'"0001', b'"000001'),
    POWER_ON.replace(b'"00000002"', b'"0002"'),
    b'{"request": "multicast-frame", "time": 1}',
    b'{"request": "multicast-frame", "time": 1, "phy": "6"}',
    b'{"request": "multicast-frame", "time": 1, "phy": "' + b"60" * 256 + b'"}',
    b"{" + b", ".join(b'"a": 1' for _ in range(17)) + b"}",
    b'{"request": "advance", "time": ' + b"1" * 5_000 + b"}",
    b"x" * 100_000,
    b'{"request": "advance", "time": 1} {}',
]


@needs_compiler
@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: line[:60].decode())
def test_a_line_it_cannot_read_is_an_error_and_no_more(
    checked_program: pathlib.Path, line: bytes
) -> None:
    error, about = run(checked_program, [line, hello_request().encode()])
    assert error == {"event": "error", "reason": "not a request this device can read"}
    assert about["event"] == "hello"


@needs_compiler
def test_a_field_that_is_null_is_missing(checked_program: pathlib.Path) -> None:
    nothing = b'{"request": "downlink", "time": 1, "fport": 201, "payload": "00", "mc_addr": null}'
    started, uplink, done = run(checked_program, [POWER_ON, nothing])
    assert (started["event"], uplink["payload"], done["event"]) == ("done", "000301", "done")


ECHO = r"""
#include "device.h"
#include <string.h>

void device_start(uint64_t now, bool from_factory, bool clock_known, const struct identity *who)
{
    uint8_t said[32] = {from_factory, clock_known, who->lorawan_1_1, (uint8_t)now};
    for (int i = 0; i < 4; i++)
        said[4 + i] = (uint8_t)(who->dev_addr >> (24 - 8 * i));
    memcpy(said + 8, who->dev_eui, 8);
    memcpy(said + 16, who->root_key, 16);
    owner_send(1, said, sizeof said);
}

void device_unicast(uint64_t now, uint8_t fport, const uint8_t *payload, size_t size)
{
    (void)now;
    switch (fport) {
    case 2: owner_reboot(); break;
    case 3: owner_block_lost(payload[0]); break;
    case 4: owner_block(payload[0], payload + 1, size - 1); break;
    case 5: owner_listen((char)payload[0], size > 1 ? payload[1] : NO_GROUP); break;
    }
}

void device_multicast(uint64_t now, uint32_t mc_addr, uint32_t fcnt, uint8_t fport,
                      const uint8_t *payload, size_t size)
{
    uint8_t said[8 + 242];
    (void)now;
    for (int i = 0; i < 4; i++) {
        said[i] = (uint8_t)(mc_addr >> (24 - 8 * i));
        said[4 + i] = (uint8_t)(fcnt >> (24 - 8 * i));
    }
    memcpy(said + 8, payload, size);
    owner_send(fport, said, 8 + size);
}

void device_multicast_frame(uint64_t now, const uint8_t *phy, size_t size)
{
    (void)now;
    owner_send(6, phy, size);
}

void device_tick(uint64_t now) { (void)now; }

uint64_t device_next(uint64_t now) { return now + 1500; }
"""
KEY = bytes(range(16))
WHO = bytes.fromhex("0178B5E6 6A2F0C11D4E5B791")
STARTED = dataclasses.replace(
    power_on(0.25),
    dev_addr=DevAddr(0x0178B5E6),
    dev_eui=DevEUI(0x6A2F0C11D4E5B791),
    root_key=GenAppKey(KEY),
)
PHY = b"\x60" + bytes(range(254))
WIRED: list[tuple[DeviceRequest, list[DeviceEvent]]] = [
    (STARTED, [Uplink(0.25, 1, bytes((1, 1, 0, 250)) + WHO + KEY)]),
    (
        dataclasses.replace(
            STARTED, time=0.5, factory=False, clock_known=False, root_key=AppKey(KEY[::-1])
        ),
        [Uplink(0.5, 1, bytes((0, 0, 1, 244)) + WHO + KEY[::-1])],
    ),
    (Downlink(1.0, 2, b""), [Rebooted(1.0)]),
    (Downlink(1.5, 3, b"\x03"), [BlockLost(1.5, 3)]),
    (Downlink(2.0, 4, b"\x02image"), [BlockDelivered(2.0, 2, b"image")]),
    (Downlink(2.0, 5, b"B\x01"), [ClassChanged(2.0, "B", 1)]),
    (Downlink(2.0, 5, b"A"), [ClassChanged(2.0, "A")]),
    (
        Downlink(3.0, 7, b"\x08", DevAddr(0xFEDCBA98), 0xFFFF_0001),
        [Uplink(3.0, 7, bytes.fromhex("fedcba98 ffff0001 08"))],
    ),
    (MulticastFrame(4.0, PHY), [Uplink(4.0, 6, PHY)]),
    (Advance(5.0), []),
]
"""What is asked of a device that tells all it is told, and what it answers."""


@needs_compiler
def test_every_request_and_event_can_be_wired(tmp_path: pathlib.Path) -> None:
    for name in ("lines.c", "device.h"):
        shutil.copy(EXAMPLE / name, tmp_path)
    (tmp_path / "echo.c").write_text(ECHO)
    command = compiler()
    assert command is not None
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-o", "echo"]
    subprocess.run([command, *flags, "lines.c", "echo.c"], cwd=tmp_path, check=True)
    requests = [DEVICE_REQUESTS.encode(request).encode() for request, _ in WIRED]
    said = [DEVICE_EVENTS.decode(json.dumps(line)) for line in run(tmp_path / "echo", requests)]
    assert said == [one for request, events in WIRED for one in (*events, Done(request.time + 1.5))]
    kinds = {kind_of(type(one)) for one in said} | {kind_of(type(one)) for one, _ in WIRED}
    assert kinds == {*DEVICE_REQUESTS.kinds, *DEVICE_EVENTS.kinds} - {"error"}


@needs_compiler
def test_random_octets_and_damaged_lines_do_not_break_it(checked_program: pathlib.Path) -> None:
    rng = random.Random(6)
    good = [DEVICE_REQUESTS.encode(one).encode() for one in (power_on(1.0), Advance(2.0))]
    lines = [*good]
    for _ in range(3_000):
        line = bytearray(rng.choice(good))
        for _ in range(rng.randrange(1, 4)):
            line[rng.randrange(len(line))] = rng.randrange(256)
        lines.append(bytes(line).replace(b"\n", b" ").replace(b"\0", b" "))
    answers = run(checked_program, lines)
    assert {answer["event"] for answer in answers} <= {"done", "error", "hello"}
    assert len(answers) == len(lines)


@needs_compiler
def test_hostile_payloads_do_not_break_it(checked_program: pathlib.Path) -> None:
    rng = random.Random(7)
    lines = [DEVICE_REQUESTS.encode(power_on(0.0)).encode()]
    group = bytes.fromhex("0200 01000000") + bytes(16) + bytes(4) + b"\xff" * 4
    time = 1.0
    for _ in range(4_000):
        body = rng.choice(
            [
                rng.randbytes(rng.randrange(0, 243)),
                bytes((2, rng.randrange(256))) + rng.randbytes(9),
                bytes((8, rng.randrange(256), rng.randrange(256))) + bytes(rng.randrange(0, 240)),
                bytes((1, rng.randrange(256))),
                bytes((4, rng.randrange(4))) + rng.randbytes(9),
                group,
            ]
        )
        multicast = rng.random() < 0.3
        one = Downlink(
            time,
            rng.choice((200, 201, 201)),
            body[:242],
            mc_addr=DevAddr(1) if multicast else None,
            fcnt=rng.getrandbits(rng.choice((8, 32))) if multicast else None,
        )
        lines.append(DEVICE_REQUESTS.encode(one).encode())
        time += rng.choice((0.0, 0.0, 1.0, 4000.0))
    assert run(checked_program, lines)[-1]["event"] == "done"


@needs_compiler
def test_the_program_goes_when_it_is_done_with() -> None:
    with build_example() as program:
        assert program.exists()
    assert not program.parent.exists()


@needs_compiler
def test_an_example_that_does_not_build_says_why(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.c").write_text("nonsense")
    monkeypatch.setattr(example, "EXAMPLE", tmp_path)
    with pytest.raises(SubjectError, match=r"the example does not build with .*bad.c"):
        build(tmp_path / "device")


def test_without_a_compiler_a_sentence_says_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert compiler() is None
    with pytest.raises(SubjectError, match="needs a C compiler, and there is none of cc, gcc, cl"):
        build(tmp_path / "device")


def test_the_source_is_three_files_and_asks_for_no_memory() -> None:
    names = sorted(path.name for path in EXAMPLE.iterdir() if path.suffix in (".c", ".h"))
    assert names == ["device.c", "device.h", "lines.c"]
    assert not any("alloc(" in (EXAMPLE / name).read_text("utf-8") for name in names)
