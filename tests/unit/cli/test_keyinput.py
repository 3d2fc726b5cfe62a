"""Where keys come from, and that no error repeats one."""

from __future__ import annotations

import getpass
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cli.support import MC_KEY, ROOT, Outcome, assert_secret, call, derived, without_keys


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.txt"


# --- File, environment, prompt --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"GenAppKey={ROOT}",
        f"\ufeff# mine\n\n gen_app_key = {ROOT.upper()} \r\n",
        f"GENAPPKEY=0x{ROOT}",
        f"GenAppKey={bytes.fromhex(ROOT).hex(' ')}",
        f"GenAppKey={bytes.fromhex(ROOT).hex(':')}",
        json.dumps({"GenAppKey": ROOT}),
        json.dumps({"gen-app-key": ROOT}, indent=2),
    ],
)
def test_files_are_lines_or_json(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    outcome = call("keys", "--keys", str(file), "--reveal", "GenAppKey")
    assert outcome.status == 0
    assert ROOT in outcome.out


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(f"GenAppKey={ROOT}".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert call("keys", "--keys", "-").status == 0


def test_the_environment_is_read_unless_there_is_a_file(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setenv("LORAFUOTA_APPKEY", ROOT)
    monkeypatch.setenv("LORAFUOTA_MCKEY", MC_KEY)
    monkeypatch.setenv("LORAFUOTA_MCADDR", "01020304")
    outcome = call("keys", "--json")
    assert list(derived(outcome)) == [
        *("McRootKey", "McKEKey", "McKey_encrypted", "McAppSKey", "McNwkSKey", "DataBlockIntKey")
    ]
    file.write_text(f"GenAppKey={ROOT}")
    assert json.loads(call("keys", "--keys", str(file), "--json").out)["lorawan"] == "1.0.x"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "secrets", "argv", "lorawan"),
    [
        ("\n\n01020304\n", [ROOT, MC_KEY], [], "1.0.x"),
        ("1.1\n\n01020304\n", [ROOT, MC_KEY], [], "1.1"),
        ("", [ROOT, ""], ["--lorawan", "1.1"], "1.1"),
    ],
)
def test_a_terminal_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    secrets: list[str],
    argv: list[str],
    lorawan: str,
) -> None:
    asked = []

    def answer(prompt: str, stream: object) -> str:
        asked.append(prompt)
        return secrets[len(asked) - 1]

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(getpass, "getpass", answer)
    outcome = call("keys", "--json", *argv)
    assert outcome.status == 0
    document = json.loads(outcome.out)
    assert document["lorawan"] == lorawan
    assert document["mc_addr"] == ("01020304" if typed else None)
    root = "AppKey" if lorawan == "1.1" else "GenAppKey"
    assert asked[0] == f"{root}, 32 hex digits, empty to skip: "


def test_what_options_say_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    monkeypatch.setattr(getpass, "getpass", lambda prompt, stream: ROOT)
    options = ["--mc-addr", "01020304", "--mc-key-encrypted", MC_KEY]
    outcome = call("keys", *options)
    assert "McAddr," not in outcome.err
    assert "McKey_encrypted," not in outcome.err


def test_the_end_of_input_at_a_prompt_skips_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(prompt: str, stream: object) -> str:
        raise EOFError

    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(getpass, "getpass", end)
    outcome = call("keys")
    assert outcome.status == 2
    assert "nothing can be derived" in outcome.err


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_real_terminal_does_not_echo_keys() -> None:
    import fcntl
    import pty
    import termios

    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "lorafuota", "keys", "--mc-addr", "01020304", "--lorawan", "1.0"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(slave)
    seen = ""

    def expect(text: str) -> None:
        nonlocal seen
        while text not in seen:
            seen += os.read(master, 4096).decode()

    expect("GenAppKey, 32 hex digits, empty to skip: ")
    os.write(master, f"{ROOT}\n".encode())
    expect("McKey, 32 hex digits, empty to skip: ")
    os.write(master, f"{MC_KEY}\n".encode())
    expect("McKey_encrypted, 32 hex digits, empty to skip: ")
    os.write(master, b"\n")
    expect("DataBlockIntKey")
    try:
        while chunk := os.read(master, 4096):
            seen += chunk.decode()
    except OSError:  # how Linux says that the other end is closed
        pass
    assert child.wait(timeout=60) == 0
    os.close(master)
    assert_secret(Outcome(0, seen, ""), ROOT, MC_KEY)


# --- Both roots -----------------------------------------------------------------------------------


def test_two_roots_need_the_version_of_the_link_layer(file: Path) -> None:
    file.write_text(f"GenAppKey={ROOT}\nAppKey={MC_KEY}\n")
    outcome = call("keys", "--keys", str(file))
    assert outcome.status == 2
    assert "both GenAppKey and AppKey are given: --lorawan 1.0 derives from GenApp" in outcome.err
    outcome = call("conform", "device", "--own", "documents v2", "--root-key-file", str(file))
    assert (outcome.status, outcome.out) == (2, "")
    assert "holds both GenAppKey and AppKey: leave the one" in outcome.err
    assert "--lorawan" not in outcome.err  # it has no such option
    for version, scheme in (("1.0", "1.0.x"), ("1.0.x", "1.0.x"), ("1.1", "1.1")):
        outcome = call("keys", "--keys", str(file), "--lorawan", version, "--json")
        assert json.loads(outcome.out)["lorawan"] == scheme


@pytest.mark.parametrize(
    ("version", "given", "wanted"), [("1.0", "AppKey", "GenAppKey"), ("1.1", "GenAppKey", "AppKey")]
)
def test_the_root_of_the_other_link_layer_is_refused(
    file: Path, version: str, given: str, wanted: str
) -> None:
    file.write_text(f"{given}={ROOT}")
    outcome = call("keys", "--keys", str(file), "--lorawan", version)
    assert outcome.status == 2
    assert f"device derives from {wanted}, but {given} was given" in outcome.err


# --- What cannot be read --------------------------------------------------------------------------

BAD_FILES = {
    "no name": (ROOT, "line 1 of the keys: expected NAME=HEX"),
    "the wrong way round": (
        f"\n{ROOT}=GenAppKey",
        "line 2 of the keys: expected one of GenAppKey,",
    ),
    "too long": (f"GenAppKey={ROOT}00", "line 1 of the keys: GenAppKey has 34 hex digits: "),
    "too short": (f"GenAppKey={ROOT[:30]}", "line 1 of the keys: GenAppKey has 30 hex digits: "),
    "no hex": (f"GenAppKey={ROOT[:31]}g", "line 1 of the keys: GenAppKey has 32 characters: "),
    "empty value": ("GenAppKey=", "line 1 of the keys: GenAppKey has 0 characters: expected 32"),
    "twice": (f"GenAppKey={ROOT}\ngen_app_key={ROOT}", "line 1 of the keys: GenAppKey is there"),
    "address": (f"McAddr={ROOT}", "line 1 of the keys: McAddr has 32 characters: expected 8"),
    "signed address": ("McAddr=+1020304", "line 1 of the keys: McAddr has 8 characters: "),
    "JSON with a list": (f'{{"AppKey": ["{ROOT}"]}}', "the JSON of the keys: AppKey is no text"),
    "JSON with a number": ('{"AppKey": 7}', "the JSON of the keys: AppKey is no text"),
    "JSON of another name": (f'{{"{ROOT}": ""}}', "the JSON of the keys: expected one of"),
    "JSON cut short": (f'{{"AppKey": "{ROOT}"', "the JSON of the keys: Expecting"),
    "JSON twice": (f'{{"AppKey": "{ROOT}", "appkey": "{ROOT}"}}', "the JSON of the keys: AppKey"),
    "JSON too deep": ('{"a":' * 9000, "the JSON of the keys"),
    "JSON with a huge number": ('{"AppKey": ' + "9" * 9000 + "}", "the JSON of the keys"),
    "empty": (" \n", "the file of keys is empty"),
    "huge": ("#" * 70_000, "the file of keys is longer than 65536 octets"),
    "nothing to derive from": (f"McAppSKey={ROOT}", "nothing can be derived: expected GenAppKey"),
    "only comments": ("# nothing", "nothing can be derived"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_is_one_sentence_without_the_key(file: Path, what: str) -> None:
    text, sentence = BAD_FILES[what]
    file.write_text(text)
    outcome = call("keys", "--keys", str(file))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"lorafuota keys: {sentence}")
    assert outcome.err.count("\n") == 1
    assert_secret(outcome, ROOT)


def test_octets_that_are_no_text_are_one_sentence(file: Path) -> None:
    file.write_bytes(bytes.fromhex(ROOT))
    outcome = call("keys", "--keys", str(file))
    assert (outcome.status, outcome.err) == (
        2,
        "lorafuota keys: the file of keys is no text\n",
    )


@pytest.mark.parametrize("path", ["nowhere.txt", ".", "nul\0"])
def test_an_unreadable_file_is_one_sentence(path: str) -> None:
    outcome = call("keys", "--keys", path)
    assert outcome.status == 2
    assert outcome.err.startswith("lorafuota keys: the file of keys cannot be read: ")


def test_no_keys_and_no_terminal_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = call("keys")
    assert outcome.status == 2
    assert outcome.err.startswith("lorafuota keys: there are no keys: give --keys FILE, set ")
    monkeypatch.setattr(sys, "stdin", None)
    assert call("keys") == outcome
    assert "the file of keys is empty" in call("keys", "--keys", "-").err


@given(
    octets=st.binary(max_size=60), head=st.sampled_from([b"", b"GenAppKey=", b"{", b'{"McKey":'])
)
def test_any_file_ends_in_an_answer_or_a_sentence(octets: bytes, head: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(head + octets)))
        outcome = call("keys", "--keys", "-")
    assert outcome.status in (0, 2)
    assert outcome.err.count("\n") == (outcome.status == 2)
