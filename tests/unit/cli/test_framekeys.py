from __future__ import annotations

import pathlib

import pytest

from lorafuota import crypto
from lorafuota.cli.arguments import InputError
from lorafuota.cli.framekeys import keyring
from lorafuota.dissect.frame import MicCheck, explain_phy
from lorafuota.types import UPLINK, DevAddr
from tests.unit.dissect.test_joins import JOIN_EUI, OLD, accept, request
from tests.unit.dissect.test_joins import NEW as NEWEST
from tests.unit.dissect.test_keyring import MC_KEY, multicast, unicast
from tests.unit.dissect.test_lorawan11 import DEVICE as NEWER
from tests.unit.dissect.test_lorawan11 import UP, sealed

MC = f"McAddr = 26011BDA\nMcKey = {MC_KEY.reveal().hex()}\n"
NWK = "NwkSKey = 000102030405060708090a0b0c0d0e0f\n"
APP = "AppSKey = 101112131415161718191a1b1c1d1e1f\n"

NEWER_KEYS = {
    "FNwkSIntKey": NEWER.f_nwk_s_int_key,
    "SNwkSIntKey": NEWER.s_nwk_s_int_key,
    "NwkSEncKey": NEWER.nwk_s_enc_key,
    "AppSKey": NEWER.app_s_key,
}
assert NEWEST.nwk_key is not None
APP_KEY = f"AppKey = {NEWEST.app_key.reveal().hex()}\n"
NWK_KEY = f"NwkKey = {NEWEST.nwk_key.reveal().hex()}\n"
NEW = "".join(f"{name} = {key.reveal().hex()}\n" for name, key in NEWER_KEYS.items())


def write(path: pathlib.Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_file_for_each_group_and_device(tmp_path: pathlib.Path) -> None:
    group = write(tmp_path / "group", "# the group\n" + MC)
    device = write(tmp_path / "device", f"dev_addr=26011bda\n{NWK}{APP}DevEUI=0000000000000007\n")
    ring = keyring([group, device])
    assert explain_phy(multicast(4), ring).check is MicCheck.FITS
    assert explain_phy(unicast(4, UPLINK, b"\x00"), ring).check is MicCheck.FITS
    assert ring.dev_eui(0x26011BDA) == 7


def test_a_group_may_have_its_session_keys(tmp_path: pathlib.Path) -> None:
    address = DevAddr(0x26011BDA)
    nwk = crypto.derive_mc_nwk_s_key(MC_KEY, address).reveal().hex()
    app = crypto.derive_mc_app_s_key(MC_KEY, address).reveal().hex()
    path = write(tmp_path / "k", f"McAddr=26011BDA\nMcNetSKey={nwk}\nMcAppSKey={app}\n")
    assert explain_phy(multicast(4), keyring([path])).payload == b"\x01\x00"


def test_a_device_of_lorawan_1_1_has_four_session_keys(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "k", f"DevAddr=26011BDB\nDevEUI=0000000000000008\n{NEW}")
    ring = keyring([path])
    assert explain_phy(sealed(UP, 4), ring).check is MicCheck.FITS
    assert ring.dev_eui(0x26011BDB) == 8


def test_root_keys_are_for_joins(tmp_path: pathlib.Path) -> None:
    old = write(tmp_path / "old", f"DevEUI={OLD.dev_eui}\nAppKey={OLD.app_key.reveal().hex()}\n")
    both = f"DevEUI={NEWEST.dev_eui}\n{APP_KEY}{NWK_KEY}"
    new = write(tmp_path / "new", f"{both}JoinEUI={JOIN_EUI}\nDevAddr=26011BDB\n{NEW}")
    ring = keyring([old, new])
    assert explain_phy(request(OLD), ring).check is MicCheck.FITS
    assert explain_phy(sealed(UP, 4), ring).check is MicCheck.FITS
    found = explain_phy(accept(NEWEST, opt_neg=True), ring)
    assert (found.check, found.dev_eui) == (MicCheck.FITS, NEWEST.dev_eui)
    assert explain_phy(request(NEWEST, 9), ring).check is MicCheck.FITS
    alone = keyring([write(tmp_path / "alone", both)])
    assert explain_phy(accept(NEWEST, opt_neg=True), alone).check is MicCheck.NOT_CHECKED


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (NWK, "a file of keys has either McAddr, for a group, or DevAddr, for a device"),
        (MC + "DevAddr=26011BDA", "a file of keys has either McAddr, for a group, or DevAddr"),
        ("DevAddr=26011BDA\n" + NWK, "the file of keys has no AppSKey: it needs NwkSKey and"),
        ("DevAddr=26011BDA\n" + APP, "the file of keys has no NwkSKey: it needs NwkSKey and"),
        ("DevAddr=26011BDA\n" + NEW + NWK, "a file of keys has either NwkSKey, of LoRaWAN 1.0.x"),
        (
            "DevAddr=26011BDA\n" + NEW.partition("\n")[2],
            "the file of keys has no FNwkSIntKey: it needs FNwkSI",
        ),
        ("DevAddr=26011BDA\nNwkSEncKey=beef\n", "the file of keys has no FNwkSIntKey: it needs"),
        ("McAddr=26011BDA", "the file of keys has no McNwkSKey: it needs McKey, or McNwkSKey"),
        ("McAddr=2601\n" + MC[18:], "line 1 of the keys: McAddr has 4 characters: expected 8"),
        ("McAddr=26011BDA\nMcKey=beef", "line 2 of the keys: McKey has 4 hex digits: expected 32"),
        (APP_KEY, "the file of keys has no DevEUI: AppKey needs it"),
        ("DevEUI=0000000000000007\n" + NWK_KEY, "the file of keys has no AppKey: it needs NwkKey"),
        (
            MC + APP_KEY,
            "a file of keys has either McAddr, for a group, or DevAddr, for a device, or",
        ),
        (APP_KEY + "DevEUI=0000000000000007\nJoinEUI=1", "line 3 of the keys: JoinEUI has 1 chara"),
        ("GenAppKey=00", "line 1 of the keys: expected one of McAddr, McKey, McAppSKey"),
        (f"DevAddr=26011BDA\n{NWK}{APP}DevEUI=7", "line 4 of the keys: DevEUI has 1 characters"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_without_a_key(
    text: str, sentence: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(InputError) as raised:
        keyring([write(tmp_path / "k", text)])
    assert str(raised.value).startswith(sentence)
    assert "beef" not in str(raised.value)
    assert "0102030405" not in str(raised.value)
    assert NEWEST.app_key.reveal().hex()[:8] not in str(raised.value)
