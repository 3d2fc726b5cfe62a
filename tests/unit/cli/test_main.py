"""The funnel: whatever goes wrong ends in a status and at most one sentence."""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota.cli import info, main
from lorafuota.cli.main import COMMANDS
from lorafuota.errors import FieldError
from tests.unit.cli.support import call

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "command-line.md"
PYTHON = [sys.executable, "-m", "lorafuota"]
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def process(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTHON, *argv],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command_and_every_status() -> None:
    outcome = call("--help")
    assert (outcome.status, outcome.err) == (0, "")
    for name in COMMANDS:
        assert re.search(rf"^    {name} +\w", outcome.out, re.M)
    for status in (0, 1, 2, 130, 141):
        assert re.search(rf"^  {status} ", outcome.out, re.M)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_and_the_statuses(name: str) -> None:
    outcome = call(name, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert "example:\n  " in outcome.out
    assert f"lorafuota {name}" in outcome.out.partition("example:")[2]
    assert "exit status:" in outcome.out
    assert max(map(len, outcome.out.splitlines())) < 100


def test_a_command_loads_nothing_that_only_others_need() -> None:
    code = "import sys; from lorafuota.cli import main; main(['image', '--help'])"
    code += "; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    commands = {f"lorafuota.cli.{name}" for name in COMMANDS}
    assert commands & set(done.stdout.split()) == {"lorafuota.cli.image"}


def test_the_version_is_printed() -> None:
    assert call("--version").out == f"lorafuota {lorafuota.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "lorafuota: the following arguments are required: COMMAND (see lorafuota --help)"),
        (["bake"], "lorafuota: argument COMMAND: invalid choice: 'bake'"),
        (["info", "--loud"], "lorafuota info: unknown option --loud (see lorafuota info --help)"),
        (["info", "--loud=secret"], "lorafuota info: unknown option --loud (see "),
        (["info", "more"], "lorafuota info: more arguments than it takes (see "),
        (["dissect"], "lorafuota dissect: the following arguments are required: WHAT"),
        (["info", "--js"], "lorafuota info: unknown option --js"),
    ],
)
def test_wrong_usage_is_one_sentence(argv: list[str], sentence: str) -> None:
    outcome = call(*argv)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(sentence)
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (FieldError("Scenario", "devices", 0, "1 or more"), 2, "Scenario.devices = 0: expected 1"),
        (FileNotFoundError(2, "No such file", "x.bin"), 2, "x.bin: No such file"),
        (OSError("the disk is gone"), 2, "the disk is gone"),
        (OSError(2, "No such file", "a\nb\udc80"), 2, "a\\nb\\udc80: No such file"),
        (OSError("x" * 1000), 2, "x" * 400 + "..."),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_of_a_command_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, sentence: str
) -> None:
    def fail(args: argparse.Namespace) -> NoReturn:
        raise error

    monkeypatch.setattr(info, "run", fail)
    outcome = call("info")
    assert outcome.status == status
    assert outcome.err.startswith(f"lorafuota info: {sentence}")
    assert outcome.err.count("\n") == 1


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: argparse.Namespace) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(info, "run", fail)
    with pytest.raises(ZeroDivisionError):
        call("info")


def test_a_broken_pipe_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: argparse.Namespace) -> NoReturn:
        raise BrokenPipeError

    monkeypatch.setattr(info, "run", fail)
    outcome = call("info")
    assert (outcome.status, outcome.err) == (141, "")


def test_no_stdout_at_all_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["info"]) == 0
    assert main(["info", "--loud"]) == 2
    assert main(["keys", "--keys", "nowhere"]) == 2


def test_what_was_printed_before_an_error_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: argparse.Namespace) -> NoReturn:
        print("so far")
        raise FileNotFoundError(2, "No such file", "x.bin")

    monkeypatch.setattr(info, "run", fail)
    outcome = call("info")
    assert (outcome.status, outcome.out) == (2, "so far\n")


def test_a_full_disk_in_this_process_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    err = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", err)
    assert main(["info"]) == 2
    assert err.getvalue() == "lorafuota info: No space left on device\n"


# --- Processes ------------------------------------------------------------------------------------


def test_the_module_and_the_script_are_the_same_command() -> None:
    done = process("dissect", "fragmentation/1", "uplink", "02c0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == call("dissect", "fragmentation/1", "uplink", "02c0").out
    assert process("dissect", "fragmentation/1", "uplink", "ff").returncode == 1


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [("bogus", "environment.LORAFUOTA_KERNELS = 'bogus': expected auto, c, python or reference")],
)
def test_a_wish_for_kernels_that_do_not_exist_is_one_sentence(wish: str, sentence: str) -> None:
    done = process("info", LORAFUOTA_KERNELS=wish)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lorafuota: {sentence}\n"


def test_a_part_that_cannot_be_loaded_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import lorafuota.cli

    monkeypatch.delattr(lorafuota.cli, "keys")
    monkeypatch.setitem(sys.modules, "lorafuota.cli.keys", None)
    outcome = call("keys")
    assert outcome.status == 2
    assert outcome.err.startswith("lorafuota: a part of lorafuota cannot be loaded: ")


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
@pytest.mark.parametrize("argv", [["info"], ["--help"], ["info", "--json"]])
def test_a_reader_that_leaves_early_gets_no_complaint(argv: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*PYTHON, *argv],
        stdout=write,
        stderr=subprocess.PIPE,
        env=BUFFERED,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PYTHON, "info"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=BUFFERED,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == b"lorafuota info: No space left on device\n"


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """What runs in the background of a shell ignores SIGINT, and so does what it starts."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
def test_ctrl_c_ends_with_130_and_no_traceback(heeds_ctrl_c: None) -> None:
    with subprocess.Popen(
        [*PYTHON, "dissect", "201", "up", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as child:
        assert child.stdin is not None
        # A pipe takes more than it holds only when somebody reads: then the command waits for us.
        child.stdin.write(b"0" * 65_000)
        child.stdin.flush()
        while _unread(child.stdin.fileno()):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, b"", b"lorafuota dissect: interrupted\n")


def _unread(pipe: int) -> int:
    """Octets that wait in a pipe for its reader."""
    import fcntl
    import struct
    import termios

    [waiting] = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(waiting)


# --- Any arguments at all -------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *("dissect", "keys", "info", "fragmentation/1", "225", "201/2", "ts007", "up", "downlink"),
        *("02c0", "-", "--", "--json", "--strict", "--base64", "--speaks", "ts004/1", "AsA="),
        *("--keys", "--mc-addr", "--lorawan", "--reveal", "all", "1.0", "01020304", "", "/", "."),
        *("--help", "--version", "-h", "-x", "0" * 33, "--mc-key-encrypted", "/dev/null"),
    ]
)
STDIN = st.sampled_from([b"", b"02c0", b"GenAppKey=" + b"0" * 32, b"{", b"{" * 5000, b"\xff\x00"])


@given(argv=st.lists(WORDS | st.text(max_size=8), max_size=7), stdin=STDIN)
def test_no_arguments_lead_to_a_traceback(argv: list[str], stdin: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        outcome = call(*argv)
    assert outcome.status in (0, 1, 2)
    if outcome.status == 2:
        assert outcome.out == ""
        assert outcome.err.startswith("lorafuota")
        assert outcome.err.count("\n") == 1
    else:
        assert outcome.err == ""


# --- The page -------------------------------------------------------------------------------------

EXAMPLES = re.findall(
    r"^```sh\n([^\n]*)\n```\n\n```text\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S
)


@pytest.mark.parametrize(("line", "shown"), EXAMPLES, ids=[line for line, _ in EXAMPLES])
def test_the_page_shows_what_happens_to_the_last_space(
    monkeypatch: pytest.MonkeyPatch, line: str, shown: str
) -> None:
    words = shlex.split(line, comments=True)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    assert words[0] == "lorafuota"
    outcome = call(*words[1:])
    assert outcome.out + outcome.err == shown


def test_the_page_has_examples_and_every_option() -> None:
    assert len(EXAMPLES) >= 4
    page = PAGE.read_text("utf-8")
    for name in ("simulate", "image", "delta", "dissect", "keys", "info"):
        for option in re.findall(r"^  (--[a-z0-9-]+)", call(name, "--help").out, re.M):
            assert option in page
