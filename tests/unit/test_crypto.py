"""Keys, CMAC and the two MICs, held against vectors nobody here computed."""

from __future__ import annotations

import ast
import base64
import inspect
import json
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota import crypto, link
from lorafuota.errors import FieldError, IntegrityError
from lorafuota.types import (
    AppKey,
    DataBlockIntKey,
    DevAddr,
    GenAppKey,
    Key,
    LorawanVersion,
    McAppSKey,
    McKEKey,
    McKey,
    McNwkSKey,
    McRootKey,
)
from tests.support import Record

VECTORS = Path(__file__).parents[1] / "vectors"
KEYS = json.loads((VECTORS / "ts005.json").read_text())["keys"]
MICS = json.loads((VECTORS / "ts004.json").read_text())["mics"]
FRAMES = json.loads((VECTORS / "link-layer.json").read_text())["multicast_frames"]


def addr(text: str) -> DevAddr:
    return DevAddr(int(text, 16))


def by(field: str) -> Callable[[dict[str, Any]], str]:
    return lambda vector: str(vector[field])


# --- AES and CMAC ---------------------------------------------------------------------------------

# FIPS 197, appendix C.1.
FIPS_KEY = Key.from_hex("000102030405060708090a0b0c0d0e0f")
# NIST SP 800-38A, sections F.1.1 and F.1.2 (ECB-AES128), and RFC 4493, section 4: the same key and
# the same 64 octets of message.
NIST_KEY = Key.from_hex("2b7e151628aed2a6abf7158809cf4f3c")
NIST_MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172a"
    "ae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52ef"
    "f69f2445df4f9b17ad2b417be66c3710"
)
NIST_ECB = bytes.fromhex(
    "3ad77bb40d7a3660a89ecaf32466ef97"
    "f5d3d58503b9699de785895a96fdbaaf"
    "43b1cd7f598ece23881b00e3ed030688"
    "7b0c785e27e8ad3f8223207104725dd4"
)
# Tags by message length.  0, 16, 40, 64: RFC 4493, section 4, and NIST SP 800-38B, appendix D.1;
# 0, 16, 20, 64: NIST "AES_CMAC.pdf", AES-128 examples 1 to 4.
CMACS = {
    0: "bb1d6929e95937287fa37d129b756746",
    16: "070a16b46b4d4144f79bdd9dd04a287c",
    20: "7d85449ea6ea19c823a7bf78837dfade",
    40: "dfa66747de9ae63030ca32611497c827",
    64: "51f0bebf7e3b9d92fc49741779363cfe",
}


def test_aes_agrees_with_fips_197_in_both_directions() -> None:
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    cipher = bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")
    assert crypto.aes128_encrypt(FIPS_KEY, plain) == cipher
    assert crypto.aes128_decrypt(FIPS_KEY, cipher) == plain


def test_aes_agrees_with_sp_800_38a_over_several_blocks() -> None:
    assert crypto.aes128_encrypt(NIST_KEY, NIST_MESSAGE) == NIST_ECB
    assert crypto.aes128_decrypt(NIST_KEY, NIST_ECB) == NIST_MESSAGE


@pytest.mark.parametrize("function", [crypto.aes128_encrypt, crypto.aes128_decrypt])
def test_aes_takes_whole_blocks_only(function: Callable[[Key, bytes], bytes]) -> None:
    assert function(NIST_KEY, b"") == b""
    with pytest.raises(FieldError, match="multiple of 16"):
        function(NIST_KEY, bytes(17))


@pytest.mark.parametrize(("length", "tag"), CMACS.items())
def test_cmac_agrees_with_rfc_4493_and_sp_800_38b(length: int, tag: str) -> None:
    assert crypto.aes128_cmac(NIST_KEY, NIST_MESSAGE[:length]).hex() == tag


# NIST CAVP, CAVS 11.0, CMACGenAES128: tags shorter than the block.
@pytest.mark.parametrize(
    ("key", "message", "tag"),
    [
        (  # Count = 32, Tlen = 4: the length of a MIC
            "77a77faf290c1fa30c683df16ba7a77b",
            "020683e1f0392f4cac54318b6029259e9c553dbc4b6ad998e64d58e4e7dc2e13",
            "fbfea41b",
        ),
        (  # Mlen = 33, Tlen = 15
            "644cbf12859df0557ea91f08e051ff27",
            "e2b4b6f9484402645c47809ed5a83a17b378cf85224174d9a097397162f18e8ff4",
            "4e6ec56ff95d0eae1cf83efcf44beb",
        ),
    ],
)
def test_truncated_tags_agree_with_nist_cavp(key: str, message: str, tag: str) -> None:
    computed = crypto.aes128_cmac(Key.from_hex(key), bytes.fromhex(message))
    assert computed[: len(tag) // 2].hex() == tag


@pytest.mark.parametrize(("length", "tag"), CMACS.items())
def test_a_mic_is_the_first_four_octets_of_the_cmac(length: int, tag: str) -> None:
    """The truncation rule of SP 800-38B, section 5.5, and RFC 4493, section 2.4."""
    whole = crypto.aes128_cmac(NIST_KEY, NIST_MESSAGE[:length])
    assert whole[: crypto.MIC_OCTETS].hex() == tag[:8]


def test_cmac_over_parts_is_cmac_over_their_join() -> None:
    parts = (NIST_MESSAGE[:5], b"", memoryview(NIST_MESSAGE)[5:40])
    assert crypto.aes128_cmac(NIST_KEY, *parts).hex() == CMACS[40]


# --- derivations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", KEYS, ids=by("id"))
def test_every_key_of_the_chain_is_the_one_of_the_vector(vector: dict[str, Any]) -> None:
    version = LorawanVersion(vector["scheme"])
    root = crypto.root_key(bytes.fromhex(vector["root_key"]), version)
    assert type(root).__name__ == vector["root_key_name"]
    mc_root_key = crypto.derive_mc_root_key(root)
    mc_ke_key = crypto.derive_mc_ke_key(mc_root_key)
    mc_key = McKey.from_hex(vector["McKey"])
    mc_addr = addr(vector["McAddr"])
    encrypted = bytes.fromhex(vector["McKey_encrypted"])
    assert [
        mc_root_key,
        mc_ke_key,
        crypto.wrap_mc_key(mc_ke_key, mc_key),
        crypto.unwrap_mc_key(mc_ke_key, encrypted),
        crypto.derive_mc_app_s_key(mc_key, mc_addr),
        crypto.derive_mc_nwk_s_key(mc_key, mc_addr),
    ] == [
        McRootKey.from_hex(vector["McRootKey"]),
        McKEKey.from_hex(vector["McKEKey"]),
        encrypted,
        mc_key,
        McAppSKey.from_hex(vector["McAppSKey"]),
        McNwkSKey.from_hex(vector["McNwkSKey"]),
    ]


@pytest.mark.parametrize("vector", KEYS, ids=by("id"))
def test_the_derivation_blocks_of_the_vector_give_its_keys(vector: dict[str, Any]) -> None:
    root, mc_key = Key.from_hex(vector["root_key"]), Key.from_hex(vector["McKey"])
    assert [
        crypto.aes128_encrypt(root, bytes.fromhex(vector["root_block"])).hex(),
        crypto.aes128_encrypt(mc_key, bytes.fromhex(vector["app_block"])).hex(),
        crypto.aes128_encrypt(mc_key, bytes.fromhex(vector["nwk_block"])).hex(),
    ] == [vector["McRootKey"], vector["McAppSKey"], vector["McNwkSKey"]]


def test_the_same_octets_as_other_root_key_make_another_mc_root_key() -> None:
    octets = bytes.fromhex(KEYS[0]["root_key"])
    old, new = (
        crypto.derive_mc_root_key(GenAppKey(octets)),
        crypto.derive_mc_root_key(AppKey(octets)),
    )
    assert old != new


def test_wrapping_is_aes_decryption() -> None:
    kek, key = McKEKey(NIST_KEY.reveal()), McKey(NIST_ECB[:16])
    assert crypto.wrap_mc_key(kek, key) == NIST_MESSAGE[:16]


@given(kek=st.binary(min_size=16, max_size=16), key=st.binary(min_size=16, max_size=16))
def test_unwrapping_undoes_wrapping(kek: bytes, key: bytes) -> None:
    mc_ke_key, mc_key = McKEKey(kek), McKey(key)
    assert crypto.unwrap_mc_key(mc_ke_key, crypto.wrap_mc_key(mc_ke_key, mc_key)) == mc_key


# --- data block MIC -------------------------------------------------------------------------------


def root_of(vector: dict[str, Any]) -> GenAppKey | AppKey:
    kind = GenAppKey if vector["root_key_kind"].startswith("GenAppKey") else AppKey
    return kind.from_hex(vector["root_key"])


def session_of(vector: dict[str, Any]) -> dict[str, Any]:
    return {
        "session_cnt": vector["session_cnt"],
        "frag_index": vector["frag_index"],
        "descriptor": bytes.fromhex(vector["descriptor_octets"]),
    }


@pytest.mark.parametrize("vector", MICS, ids=by("name"))
def test_the_data_block_mic_is_the_one_of_the_vector(vector: dict[str, Any]) -> None:
    key = crypto.derive_data_block_int_key(root_of(vector))
    block = bytes.fromhex(vector["block"])
    assert key == DataBlockIntKey.from_hex(vector["data_block_int_key"])
    assert crypto.data_block_mic(key, block, **session_of(vector)).hex() == vector["mic"]
    assert crypto.aes128_cmac(key, bytes.fromhex(vector["b0"]), block).hex() == vector["cmac"]
    crypto.verify_data_block_mic(key, block, **session_of(vector), mic=bytes.fromhex(vector["mic"]))


def flips(octets: bytes) -> list[bytes]:
    """Every value one bit away."""
    number = int.from_bytes(octets)
    return [(number ^ 1 << bit).to_bytes(len(octets)) for bit in range(8 * len(octets))]


def test_flipping_any_bit_of_mic_descriptor_counter_index_or_block_is_noticed(
    record_property: Record,
) -> None:
    key, block = DataBlockIntKey(bytes(range(16))), bytes(range(95))
    right: dict[str, Any] = {
        "data": block,
        "session_cnt": 7,
        "frag_index": 1,
        "descriptor": b"\4\3\2\1",
    }
    right["mic"] = crypto.data_block_mic(key, **right)
    wrong = [
        *({**right, "mic": mic} for mic in flips(right["mic"])),
        *({**right, "descriptor": octets} for octets in flips(right["descriptor"])),
        *({**right, "session_cnt": 7 ^ 1 << bit} for bit in range(16)),
        *({**right, "frag_index": 1 ^ 1 << bit} for bit in range(2)),
        *({**right, "data": data} for data in flips(block)),
        *({**right, "data": block + bytes(n)} for n in range(1, 33)),
        *({**right, "data": block[:n]} for n in range(1, 95)),
    ]
    crypto.verify_data_block_mic(key, **right)
    for arguments in wrong:
        with pytest.raises(IntegrityError) as caught:
            crypto.verify_data_block_mic(key, **arguments)
        assert str(caught.value) == "data block: the MIC does not fit"
    record_property("changes under a MIC", len(wrong))


def test_flipping_any_bit_of_the_length_in_b0_changes_the_mic() -> None:
    vector = MICS[0]
    key = DataBlockIntKey.from_hex(vector["data_block_int_key"])
    b0, block = bytes.fromhex(vector["b0"]), bytes.fromhex(vector["block"])
    for length in flips(b0[12:]):
        assert crypto.aes128_cmac(key, b0[:12] + length, block)[:4].hex() != vector["mic"]


def test_a_block_of_the_largest_size_is_signed_and_one_octet_more_refused() -> None:
    key, session = DataBlockIntKey(bytes(16)), session_of(MICS[0])
    assert len(crypto.data_block_mic(key, bytes(16383 * 255), **session)) == 4
    with pytest.raises(FieldError, match=r"len\(data\) = 4177666"):
        crypto.data_block_mic(key, bytes(16383 * 255 + 1), **session)


# --- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", FRAMES, ids=by("id"))
def test_payload_encryption_and_frame_mic_are_those_of_the_vector(vector: dict[str, Any]) -> None:
    app, nwk = McAppSKey.from_hex(vector["McAppSKey"]), McNwkSKey.from_hex(vector["McNwkSKey"])
    frame: dict[str, Any] = {"mc_addr": addr(vector["McAddr"]), "fcnt": vector["FCnt"]}
    plain, cipher = bytes.fromhex(vector["plaintext"]), bytes.fromhex(vector["ciphertext"])
    message, mic = bytes.fromhex(vector["PHYPayload"])[:-4], bytes.fromhex(vector["MIC"])
    assert crypto.crypt_mc_frm_payload(app, plain, **frame) == cipher
    assert crypto.crypt_mc_frm_payload(app, cipher, **frame) == plain
    assert crypto.mc_frame_mic(nwk, message, **frame) == mic
    assert crypto.aes128_cmac(nwk, bytes.fromhex(vector["B0"]), message)[:4] == mic
    crypto.verify_mc_frame_mic(nwk, message, **frame, mic=mic)
    # The vector shows the first two A_i at most.
    for block in map(bytes.fromhex, vector["A_blocks"]):
        start = 16 * (block[15] - 1)
        stream = crypto.aes128_encrypt(app, block)
        part = bytes(a ^ b for a, b in zip(plain[start:], stream, strict=False))
        assert part == cipher[start : start + 16]


def test_flipping_any_bit_of_a_frame_its_mic_address_or_counter_is_noticed(
    record_property: Record,
) -> None:
    vector = FRAMES[2]
    key, message = (
        McNwkSKey.from_hex(vector["McNwkSKey"]),
        bytes.fromhex(vector["PHYPayload"])[:-4],
    )
    right: dict[str, Any] = {
        "message": message,
        "mc_addr": addr(vector["McAddr"]),
        "fcnt": vector["FCnt"],
        "mic": bytes.fromhex(vector["MIC"]),
    }
    wrong = [
        *({**right, "message": octets} for octets in flips(message)),
        *({**right, "mic": octets} for octets in flips(right["mic"])),
        *({**right, "mc_addr": DevAddr(right["mc_addr"] ^ 1 << bit)} for bit in range(32)),
        *({**right, "fcnt": right["fcnt"] ^ 1 << bit} for bit in range(32)),
    ]
    crypto.verify_mc_frame_mic(key, **right)
    for arguments in wrong:
        with pytest.raises(IntegrityError) as caught:
            crypto.verify_mc_frame_mic(key, **arguments)
        assert str(caught.value) == "multicast frame: the MIC does not fit"
    record_property("changes under a MIC", len(wrong))


@given(payload=st.binary(max_size=300), fcnt=st.integers(0, 2**32 - 1))
def test_decryption_undoes_encryption(payload: bytes, fcnt: int) -> None:
    key, mc_addr = McAppSKey(bytes(16)), DevAddr(1)
    once = crypto.crypt_mc_frm_payload(key, payload, mc_addr=mc_addr, fcnt=fcnt)
    assert crypto.crypt_mc_frm_payload(key, once, mc_addr=mc_addr, fcnt=fcnt) == payload


def test_the_longest_payload_takes_every_block_number() -> None:
    key = McAppSKey(bytes(range(16)))
    stream = crypto.crypt_mc_frm_payload(key, bytes(4080), mc_addr=DevAddr(5), fcnt=7)
    head = b"\x01\0\0\0\0\x01" + DevAddr(5).to_bytes(4, "little") + (7).to_bytes(4, "little")
    blocks = [head + b"\0" + bytes((number,)) for number in range(1, 256)]
    assert stream == crypto.aes128_encrypt(key, b"".join(blocks))


def test_the_longest_message_has_a_mic() -> None:
    key = McNwkSKey(bytes(range(16)))
    mic = crypto.mc_frame_mic(key, bytes(255), mc_addr=DevAddr(5), fcnt=7)
    b0 = b"\x49\0\0\0\0\x01" + DevAddr(5).to_bytes(4, "little") + (7).to_bytes(4, "little")
    assert mic == crypto.aes128_cmac(key, b0 + b"\0\xff", bytes(255))[:4]


# --- what is refused ------------------------------------------------------------------------------

DBI, APP, NWK = DataBlockIntKey(bytes(16)), McAppSKey(bytes(16)), McNwkSKey(bytes(16))
BLOCK: dict[str, Any] = {"data": b"x", "session_cnt": 0, "frag_index": 0, "descriptor": bytes(4)}
FRAME: dict[str, Any] = {"mc_addr": DevAddr(0), "fcnt": 0}
SECRET = Key(bytes(range(0x41, 0x51)))


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("session_cnt", lambda: crypto.data_block_mic(DBI, **{**BLOCK, "session_cnt": 65536})),
        ("session_cnt", lambda: crypto.data_block_mic(DBI, **{**BLOCK, "session_cnt": -1})),
        ("session_cnt", lambda: crypto.data_block_mic(DBI, **{**BLOCK, "session_cnt": 1.0})),
        ("frag_index", lambda: crypto.data_block_mic(DBI, **{**BLOCK, "frag_index": 4})),
        ("frag_index", lambda: crypto.data_block_mic(DBI, **{**BLOCK, "frag_index": -1})),
        ("len(descriptor)", lambda: crypto.data_block_mic(DBI, **{**BLOCK, "descriptor": b"abc"})),
        ("len(data)", lambda: crypto.data_block_mic(DBI, **{**BLOCK, "data": b""})),
        ("len(mic)", lambda: crypto.verify_data_block_mic(DBI, **BLOCK, mic=bytes(3))),
        ("len(mic)", lambda: crypto.verify_mc_frame_mic(NWK, b"", **FRAME, mic=bytes(16))),
        ("fcnt", lambda: crypto.mc_frame_mic(NWK, b"", mc_addr=DevAddr(0), fcnt=2**32)),
        ("fcnt", lambda: crypto.crypt_mc_frm_payload(APP, b"", mc_addr=DevAddr(0), fcnt=-1)),
        ("mc_addr", lambda: crypto.mc_frame_mic(NWK, b"", **{**FRAME, "mc_addr": 2**32})),
        ("mc_addr", lambda: crypto.derive_mc_app_s_key(McKey(bytes(16)), -1)),  # type: ignore[arg-type]
        ("len(message)", lambda: crypto.mc_frame_mic(NWK, bytes(256), **FRAME)),
        ("len(payload)", lambda: crypto.crypt_mc_frm_payload(APP, bytes(4081), **FRAME)),
        ("len(mc_key_encrypted)", lambda: crypto.unwrap_mc_key(McKEKey(bytes(16)), bytes(15))),
        ("root", lambda: crypto.derive_mc_root_key(SECRET)),  # type: ignore[arg-type]
        ("root", lambda: crypto.derive_data_block_int_key(SECRET)),  # type: ignore[arg-type]
        ("mc_root_key", lambda: crypto.derive_mc_ke_key(SECRET)),  # type: ignore[arg-type]
        ("mc_ke_key", lambda: crypto.wrap_mc_key(SECRET, McKey(bytes(16)))),  # type: ignore[arg-type]
        ("mc_key", lambda: crypto.wrap_mc_key(McKEKey(bytes(16)), SECRET)),  # type: ignore[arg-type]
        ("mc_ke_key", lambda: crypto.unwrap_mc_key(SECRET, bytes(16))),  # type: ignore[arg-type]
        ("mc_key", lambda: crypto.derive_mc_app_s_key(SECRET, DevAddr(0))),  # type: ignore[arg-type]
        ("mc_key", lambda: crypto.derive_mc_nwk_s_key(SECRET, DevAddr(0))),  # type: ignore[arg-type]
        ("key", lambda: crypto.data_block_mic(SECRET, **BLOCK)),  # type: ignore[arg-type]
        ("key", lambda: crypto.mc_frame_mic(SECRET, b"", **FRAME)),  # type: ignore[arg-type]
        ("key", lambda: crypto.crypt_mc_frm_payload(SECRET, b"", **FRAME)),  # type: ignore[arg-type]
        ("key", lambda: crypto.aes128_cmac(bytes(16))),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_without_a_secret(
    field: str, call: Callable[[], object]
) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert not [form for form in spellings(SECRET) if form in told]


# --- secrecy and constant time --------------------------------------------------------------------


def spellings(key: Key) -> list[str]:
    octets = key.reveal()
    return [
        octets.hex(),
        octets.hex().upper(),
        base64.b64encode(octets).decode().rstrip("="),
        octets.decode("latin-1"),
        repr(octets)[2:-1],
    ]


@pytest.mark.parametrize("vector", KEYS, ids=by("id"))
def test_no_derived_key_shows_itself_or_pickles(vector: dict[str, Any]) -> None:
    root = crypto.root_key(bytes.fromhex(vector["root_key"]), LorawanVersion(vector["scheme"]))
    mc_root_key = crypto.derive_mc_root_key(root)
    mc_key = McKey.from_hex(vector["McKey"])
    keys = [
        root,
        mc_root_key,
        crypto.derive_mc_ke_key(mc_root_key),
        mc_key,
        crypto.derive_mc_app_s_key(mc_key, DevAddr(1)),
        crypto.derive_mc_nwk_s_key(mc_key, DevAddr(1)),
        crypto.derive_data_block_int_key(root),
    ]
    for key in keys:
        assert f"{key!r} {key} {[key]}".count("<secret>") == 3
        assert not [form for form in spellings(key) if form in f"{key!r} {key} {[key]}"]
        with pytest.raises(TypeError, match="does not pickle"):
            pickle.dumps(key)


def test_a_mic_that_does_not_fit_is_reported_without_the_one_that_would() -> None:
    mic = crypto.data_block_mic(DBI, **BLOCK)
    with pytest.raises(IntegrityError) as caught:
        crypto.verify_data_block_mic(DBI, **BLOCK, mic=bytes(4))
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert mic.hex() not in told
    assert repr(mic) not in told


# Every comparison for equality in the two modules that handle MICs and whose sides are not a number
# or a length.  None of them may touch a MIC or a key; whoever adds one adds it here, in sight.
COMPARISONS = {
    "crypto": {"version is LorawanVersion.V1_0"},
    "link": {
        "phy[0] != _MHDR",
        "int.from_bytes(phy[1:5], 'little') not in addresses",
        "self.last_fcnt is not None",
        "last is None",
        "drop is not None",
        "plain.get('last_fcnt', 0) is None",
    },
}
EQUALITY = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)


def is_length(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "len"


def is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


@pytest.mark.parametrize("module", [crypto, link])
def test_no_mic_is_compared_but_by_compare_digest(module: Any) -> None:
    """Promise S13: the rule is read from the source, so it holds for code no test reaches."""
    tree = ast.parse(inspect.getsource(module))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, EQUALITY) for op in node.ops):
            sides = (node.left, *node.comparators)
            if not any(map(is_number, sides)) and not any(map(is_length, sides)):
                found.add(ast.unparse(node))
        assert not isinstance(node, ast.MatchValue), "match compares with =="
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"startswith", "endswith", "index", "find", "__eq__"}
    assert found == COMPARISONS[module.__name__.rpartition(".")[2]]


def test_both_verifiers_compare_with_compare_digest() -> None:
    for function in (crypto.verify_data_block_mic, crypto.verify_mc_frame_mic):
        assert "hmac.compare_digest(computed, received)" in inspect.getsource(function)
