from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from lorafuota import crypto
from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.joins import HeardRequest, RootKeys, accept_mic
from lorafuota.dissect.lorawan11 import SessionKeys
from lorafuota.errors import FieldError
from lorafuota.types import AppKey, DevEUI, GenAppKey, Key, NwkKey

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "vectors" / "lorawan11.json").read_text())
EUI, JOIN_EUI = DevEUI(0x0102030405060708), DevEUI(0x0807060504030201)
OLD = RootKeys(dev_eui=EUI, app_key=AppKey(bytes(range(16))))
NEW = RootKeys(
    dev_eui=DevEUI(0x1112131415161718),
    app_key=AppKey(bytes(range(0x60, 0x70))),
    nwk_key=NwkKey(bytes(range(0x70, 0x80))),
)


def join_key(root: RootKeys) -> Key:
    return root.app_key if root.nwk_key is None else root.nwk_key


def request(root: RootKeys, dev_nonce: int = 258) -> bytes:
    """A join-request, put together here from the rules of TS001."""
    body = b"\x00" + JOIN_EUI.to_bytes(8, "little") + root.dev_eui.to_bytes(8, "little")
    body += dev_nonce.to_bytes(2, "little")
    return body + crypto.aes128_cmac(join_key(root), body)[:4]


def accept(
    root: RootKeys,
    *,
    dev_nonce: int = 258,
    address: int = 0x01020304,
    join_nonce: int = 65536,
    net_id: int = 0x010203,
    opt_neg: bool = False,
    cf_list: bytes = b"",
) -> bytes:
    """A join-accept as it is on air, put together here from the rules of TS001."""
    body = b"\x20" + join_nonce.to_bytes(3, "little") + net_id.to_bytes(3, "little")
    body += address.to_bytes(4, "little") + bytes((0x95 if opt_neg else 0x15, 1)) + cf_list
    key, under = join_key(root), body
    if opt_neg:
        eui = root.dev_eui.to_bytes(8, "little")
        key = Key(crypto.aes128_encrypt(key, b"\x06" + eui + bytes(7)))
        under = b"\xff" + JOIN_EUI.to_bytes(8, "little") + dev_nonce.to_bytes(2, "little") + body
    mic = crypto.aes128_cmac(key, under)[:4]
    return body[:1] + crypto.aes128_decrypt(join_key(root), body[1:] + mic)


def root_of(vector: dict[str, Any], dev_eui: int = 0) -> RootKeys:
    nwk_key = vector.get("NwkKey")
    return RootKeys(
        dev_eui=DevEUI(dev_eui),
        app_key=AppKey.from_hex(vector["AppKey"]),
        nwk_key=None if nwk_key is None else NwkKey.from_hex(nwk_key),
    )


@pytest.mark.parametrize("vector", VECTORS["join_requests"], ids=lambda vector: vector["id"])
def test_join_requests_of_other_implementations_fit(vector: dict[str, Any]) -> None:
    phy = bytes.fromhex(vector["phy"])
    assert root_of(vector).request_fits(phy)
    assert not root_of(vector).request_fits(phy[:-1] + bytes((phy[-1] ^ 1,)))
    assert HeardRequest.of(phy) == HeardRequest(
        bytes.fromhex(vector["join_eui"])[::-1], vector["dev_nonce"].to_bytes(2, "little")
    )


@pytest.mark.parametrize("vector", VECTORS["join_accepts"], ids=lambda vector: vector["id"])
def test_join_accepts_of_other_implementations_open(vector: dict[str, Any]) -> None:
    root, phy = root_of(vector), bytes.fromhex(vector["phy"])
    clear = root.decrypt(phy)
    assert root.accept_fits(clear)
    assert clear[1:4] == vector["join_nonce"].to_bytes(3, "little")
    assert clear[4:7] == bytes.fromhex(vector["net_id"])[::-1]
    assert clear[7:11] == bytes.fromhex(vector["dev_addr"])[::-1]
    assert clear[11:13] == bytes((vector["dl_settings"], vector["rx_delay"]))
    other = RootKeys(dev_eui=DevEUI(0), app_key=AppKey(bytes(range(1, 17))))
    assert not other.accept_fits(other.decrypt(phy))


def test_the_mic_of_a_join_accept_of_1_1_is_that_of_another_implementation() -> None:
    vector = VECTORS["join_accept_1_1"]
    phy, key = bytes.fromhex(vector["phy"]), AppKey.from_hex(vector["key"])
    clear = RootKeys(dev_eui=DevEUI(0), app_key=key).decrypt(phy)
    assert clear.hex() == vector["clear"]
    heard = HeardRequest(
        bytes.fromhex(vector["join_eui"])[::-1], vector["dev_nonce"].to_bytes(2, "little")
    )
    assert accept_mic(key, clear[:-4], heard) == clear[-4:]
    assert accept_mic(key, clear[:-4]) != clear[-4:]


@pytest.mark.parametrize("vector", VECTORS["sessions"], ids=lambda vector: vector["id"])
def test_session_keys_are_those_of_other_implementations(vector: dict[str, Any]) -> None:
    session = vector["session"]
    root = root_of(vector, dev_eui=7)
    clear = b"\x20" + vector["join_nonce"].to_bytes(3, "little")
    clear += bytes.fromhex(vector["net_id"])[::-1] + bytes.fromhex("04030201")
    clear += bytes((0x80 if "SNwkSIntKey" in session else 0, 0)) + bytes(4)
    heard = HeardRequest(
        bytes.fromhex(vector["join_eui"])[::-1], vector["dev_nonce"].to_bytes(2, "little")
    )
    keys = root.session(clear, heard)
    assert (keys.address, keys.dev_eui) == (0x01020304, 7)
    if isinstance(keys, SessionKeys):
        found: dict[str, Key] = {
            "FNwkSIntKey": keys.f_nwk_s_int_key,
            "SNwkSIntKey": keys.s_nwk_s_int_key,
            "NwkSEncKey": keys.nwk_s_enc_key,
            "AppSKey": keys.app_s_key,
        }
    else:
        found = {"NwkSKey": keys.mic_key, "AppSKey": keys.payload_key}
    assert {name: key.reveal().hex() for name, key in found.items()} == session


def test_opt_neg_says_which_link_layer_a_session_has() -> None:
    old, new = NEW.decrypt(accept(NEW)), NEW.decrypt(accept(NEW, opt_neg=True))
    assert (NEW.as_1_1(old), NEW.as_1_1(new)) == (False, True)
    assert not OLD.as_1_1(OLD.decrypt(accept(OLD, opt_neg=True)))
    heard = HeardRequest.of(request(NEW))
    assert isinstance(NEW.session(old, heard), AddressKeys)
    assert isinstance(NEW.session(new, heard), SessionKeys)
    assert NEW.accept_fits(old)


def test_a_join_accept_of_1_1_answers_one_request() -> None:
    clear = NEW.decrypt(accept(NEW, opt_neg=True))
    assert NEW.accept_fits(clear, HeardRequest.of(request(NEW)))
    assert not NEW.accept_fits(clear, HeardRequest.of(request(NEW, dev_nonce=259)))
    assert not NEW.accept_fits(clear)


@pytest.mark.parametrize("cf_list", [b"", bytes(16)])
def test_with_the_join_eui_the_request_is_found(cf_list: bytes) -> None:
    phy = accept(NEW, dev_nonce=0xFEDC, opt_neg=True, cf_list=cf_list)
    known = RootKeys(
        dev_eui=NEW.dev_eui, app_key=NEW.app_key, nwk_key=NEW.nwk_key, join_eui=JOIN_EUI
    )
    found = known.find_request(known.decrypt(phy))
    assert found == HeardRequest.of(request(NEW, dev_nonce=0xFEDC))
    assert NEW.find_request(NEW.decrypt(phy)) is None
    assert known.find_request(known.decrypt(accept(NEW))) is None
    elsewhere = RootKeys(
        dev_eui=NEW.dev_eui, app_key=NEW.app_key, nwk_key=NEW.nwk_key, join_eui=DevEUI(1)
    )
    assert elsewhere.find_request(elsewhere.decrypt(phy)) is None


def test_what_came_out_right_is_plausible() -> None:
    assert NEW.plausible(NEW.decrypt(accept(NEW)))
    assert NEW.plausible(NEW.decrypt(accept(NEW, cf_list=bytes(15) + b"\x01")))
    assert not NEW.plausible(NEW.decrypt(accept(NEW, cf_list=bytes(15) + b"\x77")))
    clear = bytearray(NEW.decrypt(accept(NEW)))
    clear[12] = 16
    assert not NEW.plausible(bytes(clear))


def test_roots_show_nothing_and_have_their_classes_and_ranges() -> None:
    assert repr(NEW).count("<secret>") == 2
    assert "606162" not in repr(NEW)
    with pytest.raises(FieldError, match=r"app_key = GenAppKey: expected a AppKey"):
        RootKeys(dev_eui=EUI, app_key=GenAppKey(bytes(16)))  # type: ignore[arg-type]
    with pytest.raises(FieldError, match=r"RootKeys\.dev_eui"):
        RootKeys(dev_eui=1 << 64, app_key=OLD.app_key)  # type: ignore[arg-type]
    with pytest.raises(FieldError, match=r"RootKeys\.join_eui"):
        RootKeys(dev_eui=EUI, app_key=OLD.app_key, join_eui=-1)  # type: ignore[arg-type]
