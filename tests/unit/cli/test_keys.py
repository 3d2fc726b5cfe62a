"""Derivations held against vectors, and no key in sight unless it was asked for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lorafuota import crypto
from lorafuota.types import Key
from tests.support import vectors
from tests.unit.cli.support import MC_KEY, ROOT, assert_secret, call, derived, without_keys

VECTORS = vectors("ts005")["keys"]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
DERIVED = ("McRootKey", "McKEKey", "McAppSKey", "McNwkSKey")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.txt"


def given_of(vector: dict[str, Any], *names: str) -> str:
    pairs = [(vector["root_key_name"], vector["root_key"]), *((n, vector[n]) for n in names)]
    return "".join(f"{name}={value}\n" for name, value in pairs)


# --- The right keys -------------------------------------------------------------------------------


@every_vector
def test_every_vector_is_derived_step_by_step(file: Path, vector: dict[str, Any]) -> None:
    file.write_text(given_of(vector, "McKey", "McAddr"))
    outcome = call("keys", "--keys", str(file), "--reveal", "all", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    steps = derived(outcome)
    assert document["lorawan"] == vector["scheme"]
    for name in (*DERIVED, "McKey_encrypted"):
        assert steps[name]["octets"] == vector[name]
    assert steps["McRootKey"]["block"] == vector["root_block"]
    assert steps["McAppSKey"]["block"] == vector["app_block"]
    assert steps["McNwkSKey"]["block"] == vector["nwk_block"]
    assert document["missing"] == []


@every_vector
def test_a_device_unwraps_what_a_server_wrapped(file: Path, vector: dict[str, Any]) -> None:
    file.write_text(given_of(vector))
    outcome = call(
        *("keys", "--keys", str(file), "--json", "--reveal", "McKey,mc_app_s_key,McNetSKey"),
        *("--mc-addr", vector["McAddr"], "--mc-key-encrypted", vector["McKey_encrypted"]),
    )
    steps = derived(outcome)
    for name in ("McKey", "McAppSKey", "McNwkSKey"):
        assert steps[name]["octets"] == vector[name]
    assert steps["McKey"]["block"] == vector["McKey_encrypted"]
    assert steps["McRootKey"]["octets"] is None


@every_vector
def test_every_step_can_be_redone_from_what_is_shown(file: Path, vector: dict[str, Any]) -> None:
    file.write_text(given_of(vector, "McKey", "McAddr"))
    names = f"all,{vector['root_key_name']}"
    outcome = call("keys", "--keys", str(file), "--reveal", names, "--json")
    document = json.loads(outcome.out)
    known = {one["name"]: one["octets"] for one in [*document["given"], *document["derived"]]}
    for step in document["derived"]:
        work = {"encrypt": crypto.aes128_encrypt, "decrypt": crypto.aes128_decrypt}
        under = Key.from_hex(known[step["under"]])
        block = bytes.fromhex(step["block"])
        assert work[step["operation"]](under, block).hex() == step["octets"]
        name = step["name"]
        check = hashlib.sha256(name.encode() + bytes.fromhex(step["octets"])).hexdigest()[:4]
        assert step["check_value"] == (None if name == "McKey_encrypted" else check)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"McRootKey={ROOT}", ["McKEKey"]),
        (f"McKEKey={ROOT}\nMcKey={MC_KEY}", ["McKey_encrypted"]),
        (f"McKEKey={ROOT}\nMcKey_encrypted={MC_KEY}", ["McKey"]),
        (f"McKey={MC_KEY}\nMcAddr=01020304", ["McAppSKey", "McNwkSKey"]),
        (f"AppKey={ROOT}", ["McRootKey", "McKEKey", "DataBlockIntKey"]),
    ],
)
def test_derivation_starts_anywhere(file: Path, text: str, names: list[str]) -> None:
    file.write_text(text)
    outcome = call("keys", "--keys", str(file), "--json")
    assert outcome.status == 0
    assert list(derived(outcome)) == names
    assert call("keys", "--keys", str(file)).status == 0


def test_what_is_missing_is_said(file: Path) -> None:
    file.write_text(f"GenAppKey={ROOT}\nMcKey={MC_KEY}")
    assert call("keys", "--keys", str(file)).out.endswith("McAppSKey and McNwkSKey need McAddr\n")
    file.write_text(f"McKey={MC_KEY}\nMcAddr=01020304")
    text = call("keys", "--keys", str(file)).out
    assert "McRootKey, McKEKey and DataBlockIntKey need GenAppKey (1.0.x) or AppKey (1.1)" in text
    assert "No root key given" in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("GenAppKey", "LoRaWAN 1.0.x: keys come from GenAppKey, not from the AppKey the device"),
        ("AppKey", "LoRaWAN 1.1: keys come from AppKey."),
    ],
)
def test_the_output_says_which_root_goes_with_which_version(
    file: Path, name: str, sentence: str
) -> None:
    file.write_text(f"{name}={ROOT}")
    assert call("keys", "--keys", str(file)).out.startswith(sentence)


# --- Comparing ------------------------------------------------------------------------------------


@every_vector
def test_keys_that_agree_are_called_so(file: Path, vector: dict[str, Any]) -> None:
    file.write_text(given_of(vector, "McKey", "McKey_encrypted", "McAddr", *DERIVED))
    outcome = call("keys", "--keys", str(file), "--json")
    assert outcome.status == 0
    steps = derived(outcome)
    assert all(steps[name]["agrees"] is True for name in (*DERIVED, "McKey"))
    assert call("keys", "--keys", str(file)).out.count("agrees\n") == 5


@every_vector
def test_the_wrong_root_is_recognised(file: Path, vector: dict[str, Any]) -> None:
    other = {"GenAppKey": "AppKey", "AppKey": "GenAppKey"}[vector["root_key_name"]]
    file.write_text(f"{other}={vector['root_key']}\nMcRootKey={vector['McRootKey']}\n")
    outcome = call("keys", "--keys", str(file))
    assert outcome.status == 1
    assert "differs from the one given" in outcome.out
    hint = f"hint: everything agrees if the root key given is {vector['root_key_name']} of a "
    assert f"{hint}LoRaWAN {vector['scheme']} device" in outcome.out
    as_json = call("keys", "--keys", str(file), "--json")
    assert json.loads(as_json.out)["root_key_must_be"] == vector["root_key_name"]


def test_a_key_that_nothing_explains_gets_no_hint(file: Path) -> None:
    file.write_text(f"GenAppKey={ROOT}\nMcKEKey={MC_KEY}\n")
    outcome = call("keys", "--keys", str(file))
    assert outcome.status == 1
    assert "hint" not in outcome.out
    file.write_text(f"McRootKey={ROOT}\nMcKEKey={MC_KEY}\n")
    assert call("keys", "--keys", str(file)).status == 1


# --- Secrets (promise S13) ------------------------------------------------------------------------


@every_vector
@pytest.mark.parametrize("json_", [[], ["--json"]], ids=["text", "json"])
def test_no_key_is_shown_unless_it_was_asked_for(
    file: Path, vector: dict[str, Any], json_: list[str]
) -> None:
    file.write_text(given_of(vector, "McKey", "McAddr", *DERIVED))
    every = ("McKey", *DERIVED)
    outcome = call("keys", "--keys", str(file), *json_)
    assert_secret(outcome, vector["root_key"], *(vector[name] for name in every))
    for name in every:
        outcome = call("keys", "--keys", str(file), *json_, "--reveal", name)
        assert vector[name] in outcome.out
        others = [vector[other] for other in every if vector[other] != vector[name]]
        # Whole keys only: some vectors count upwards, so that one key holds a half of another.
        assert_secret(outcome, vector["root_key"], *others, parts=False)


def test_all_means_derived_keys_only(file: Path) -> None:
    file.write_text(f"GenAppKey={ROOT}\nMcKey={MC_KEY}\nMcAddr=01020304")
    outcome = call("keys", "--keys", str(file), "--reveal", "all")
    assert "(hidden)" in outcome.out
    assert_secret(outcome, ROOT)


MISPLACED = {
    "as an argument": ["keys", ROOT],
    "as the command": [ROOT],
    "as the file": ["keys", "--keys", ROOT],
    "as the address": ["keys", "--mc-addr", ROOT],
    "as a wrapped key of wrong length": ["keys", "--mc-key-encrypted", ROOT + "00"],
    "as a name to reveal": ["keys", "--reveal", ROOT],
    "as a version": ["keys", "--lorawan", ROOT],
    "as an option of its own": ["keys", "--gen-app-key", ROOT],
    "as the value of one": ["keys", f"--gen-app-key={ROOT}"],
    "as the value of a flag": ["keys", f"--json={ROOT}"],
    "as an argument in octets": ["keys", *bytes.fromhex(ROOT).hex(" ").split()],
}


@pytest.mark.parametrize("where", MISPLACED)
def test_a_misplaced_key_is_not_repeated(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("LORAFUOTA_GENAPPKEY", MC_KEY)
    outcome = call(*MISPLACED[where])
    assert (outcome.status, outcome.out) == (2, "")
    assert_secret(outcome, ROOT, MC_KEY)
