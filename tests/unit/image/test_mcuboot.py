"""MCUboot images; what imgtool makes of them, and the other way round, is in test_imgtool."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import DecodeError, FieldError, IntegrityError, TruncatedError
from lorafuota.image import mcuboot
from lorafuota.image.keys import Scheme, SigningKey
from lorafuota.image.mcuboot import Tlv
from lorafuota.image.version import ImageVersion
from tests.support import LONG
from tests.unit.image.support import HARDWARE, NEW, PEM, REFUSED, key, sample

KINDS = sorted(PEM)
SAMPLES = [(version, kind) for version in ("1.0.0", "1.1.0") for kind in KINDS]
SMALL = mcuboot.sign(
    bytes(range(64)),
    key=key(),
    version=ImageVersion(1, 2, 3, 4),
    hardware=HARDWARE,
    security_counter=9,
    dependencies=[(1, ImageVersion(4, 5, 6, 7))],
    header_size=32,
)
"""An image with everything in it, of few octets."""


def tables(image: bytes, *entries: tuple[int, bytes], magic: int = 0x6907) -> bytes:
    """The image with another trailer."""
    body = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in entries)
    return mcuboot.parse(image).signed + struct.pack("<HH", magic, 4 + len(body)) + body


def trailer(image: bytes) -> list[tuple[int, bytes]]:
    return [(tlv.kind, tlv.value) for tlv in mcuboot.parse(image).tlvs if not tlv.protected]


@pytest.mark.parametrize(("version", "kind"), SAMPLES)
def test_the_sample_images_are_read_and_verified(version: str, kind: str) -> None:
    image = mcuboot.verify(sample(version, kind), key(kind).public)
    assert image.version == ImageVersion.parse(version)
    assert (image.header_size, image.flags, image.load_address) == (0x200, 0, 0)
    assert image.program == sample(version, "raw")
    assert [tlv.name for tlv in image.tlvs[:2]] == ["SHA256", "KEYHASH"]
    assert (image.hardware, image.security_counter, image.is_delta) == (None, None, False)
    assert image.notices == ()


@pytest.mark.parametrize(("version", "kind"), SAMPLES)
def test_every_octet_of_a_signed_sample_that_changes_is_noticed(version: str, kind: str) -> None:
    """One bit of each octet, all eight in turn; LORAFUOTA_LONG: all 255 other values."""
    good, public = sample(version, kind), key(kind).public
    bad, taken = bytearray(good), []
    for at in range(len(good)):
        for mask in range(1, 256) if LONG else (1 << at % 8,):
            bad[at] ^= mask
            try:
                mcuboot.verify(bad, public)
                taken.append((at, mask))
            except REFUSED:
                pass
            bad[at] ^= mask
    assert bad == good
    assert taken == []


def test_every_octet_of_an_image_with_protected_tlvs_that_changes_is_noticed() -> None:
    for at in range(len(SMALL)):
        for mask in range(1, 256) if LONG else (1 << at % 8, 0xFF):
            bad = bytearray(SMALL)
            bad[at] ^= mask
            with pytest.raises(REFUSED):
                mcuboot.verify(bad, key().public)


def test_every_image_that_is_cut_is_refused_as_truncated() -> None:
    for end in range(len(SMALL)):
        with pytest.raises(TruncatedError):
            mcuboot.verify(SMALL[:end], key().public)


def test_an_image_that_goes_on_is_refused() -> None:
    for tail in (b"\xff", bytes(4), bytes(1000), SMALL):
        with pytest.raises(DecodeError, match=f"{len(tail)} octets follow the image"):
            mcuboot.verify(SMALL + tail, key().public)


def test_what_was_signed_is_read_back() -> None:
    image = mcuboot.verify(SMALL, key().public)
    assert image.version == ImageVersion(1, 2, 3, 4)
    assert image.program == bytes(range(64))
    assert image.hardware == HARDWARE
    assert image.security_counter == 9
    assert image.tlvs[:3] == (
        Tlv(0x50, (9).to_bytes(4, "little"), protected=True),
        Tlv(0x40, bytes.fromhex("01000000 04050600 07000000"), protected=True),
        Tlv(mcuboot.HARDWARE_TLV, HARDWARE.to_bytes(4, "little"), protected=True),
    )
    assert [tlv.name for tlv in image.tlvs] == [
        *("SEC_CNT", "DEPENDENCY", "hardware", "SHA256", "KEYHASH", "ED25519"),
    ]
    assert Tlv(0xABCD, b"").name == "0xabcd"


def test_dependencies_are_skipped_with_a_notice() -> None:
    assert mcuboot.parse(SMALL).notices == ("needs version 4.5.6+7 of image 1: not checked",)
    odd = mcuboot.McubootImage(NEW, 0, 0, 32, b"", (Tlv(0x40, b"odd", protected=True),), b"")
    assert odd.notices == ("a dependency that cannot be read: not checked",)


def test_a_delta_is_marked_and_cannot_be_started() -> None:
    image = mcuboot.parse(mcuboot.sign(b"x", key=key(), version=NEW, is_delta=True))
    assert image.is_delta
    assert image.flags == 0x10


def test_an_image_for_ram_tells_its_address() -> None:
    image = mcuboot.parse(mcuboot.sign(b"x", key=key(), version=NEW, load_address=0x2000_0000))
    assert (image.load_address, image.flags) == (0x2000_0000, 0x20)


@pytest.mark.parametrize("scheme", Scheme, ids=lambda one: one.value)
def test_every_scheme_signs_and_is_refused_by_the_keys_of_all_others(scheme: Scheme) -> None:
    keys = {one: SigningKey.generate(one) for one in Scheme}
    image = mcuboot.sign(b"program", key=keys[scheme], version=NEW)
    assert mcuboot.verify(image, keys[scheme].public).program == b"program"
    for other in set(Scheme) - {scheme}:
        with pytest.raises(IntegrityError):
            mcuboot.verify(image, keys[other].public)


def test_another_key_of_the_same_kind_is_named_as_the_reason() -> None:
    for kind in KINDS:
        other = SigningKey.generate(key(kind).scheme).public
        with pytest.raises(IntegrityError, match="another key signed it"):
            mcuboot.verify(sample("1.0.0", kind), other)


def test_a_signature_of_another_key_under_our_key_hash_is_refused() -> None:
    other = SigningKey.generate(Scheme.ED25519)
    forged = mcuboot.sign(b"evil", key=other, version=NEW)
    entries = [(kind, key().public.key_hash if kind == 1 else v) for kind, v in trailer(forged)]
    with pytest.raises(IntegrityError, match="signature: it is not this key's"):
        mcuboot.verify(tables(forged, *entries), key().public)


def test_the_public_key_may_stand_in_place_of_its_hash() -> None:
    kept = [(kind, value) for kind, value in trailer(SMALL) if kind != 1]
    public = key().public
    with_key = tables(SMALL, kept[0], (2, public.der), kept[1])
    assert mcuboot.verify(with_key, public) == mcuboot.parse(with_key)
    other = SigningKey.generate(Scheme.ED25519).public
    with pytest.raises(IntegrityError, match="another key signed it"):
        mcuboot.verify(tables(SMALL, kept[0], (2, other.der), kept[1]), public)


def test_the_trailer_holds_what_belongs_there_once_and_nothing_else() -> None:
    good = trailer(SMALL)
    assert tables(SMALL, *good) == SMALL
    worse = [good[:at] + good[at + 1 :] for at in range(len(good))]
    worse += [[*good, entry] for entry in good]
    worse += [[*good, (0x50, bytes(4))], [*good, (0xABCD, b"")], [*good, (0x25, b"\1")], []]
    for entries in worse:
        with pytest.raises(IntegrityError, match="outside the signature"):
            mcuboot.verify(tables(SMALL, *entries), key().public)


def test_numbers_outside_the_signature_are_not_believed_even_before_verifying() -> None:
    entries = [*trailer(SMALL), (mcuboot.HARDWARE_TLV, bytes(4)), (mcuboot.DELTA_TLV, b"\1")]
    image = mcuboot.parse(tables(SMALL, *entries))
    assert (image.hardware, image.is_delta) == (HARDWARE, False)


def test_sig_pure_must_be_one() -> None:
    private = SigningKey.generate(Scheme.ED25519_PURE)
    image = mcuboot.sign(b"program", key=private, version=NEW)
    entries = [(kind, b"\0" if kind == 0x25 else value) for kind, value in trailer(image)]
    with pytest.raises(IntegrityError, match="SIG_PURE is not 1"):
        mcuboot.verify(tables(image, *entries), private.public)


def resigned(signed: bytes) -> bytes:
    """Octets as they are, and a right trailer behind them."""
    scheme = key().scheme
    public = key().public
    entries = [(0x10, scheme.digest(signed)), (1, public.key_hash), (0x24, key().sign(signed))]
    body = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in entries)
    return signed + struct.pack("<HH", 0x6907, 4 + len(body)) + body


def protected(*entries: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in entries)
    area = struct.pack("<HH", 0x6908, 4 + len(body)) + body
    header = struct.pack("<4sIHHII8sI", mcuboot.MAGIC, 0, 32, len(area), 1, 0, NEW.encode(), 0)
    return resigned(header + b"p" + area)


@pytest.mark.parametrize(
    "entries",
    [
        [(mcuboot.HARDWARE_TLV, bytes(4))] * 2,
        [(mcuboot.HARDWARE_TLV, bytes(3))],
        [(mcuboot.DELTA_TLV, b"\0")],
        [(mcuboot.DELTA_TLV, b"\1")] * 2,
        [(0x50, b"")],
    ],
)
def test_a_signed_image_with_numbers_that_cannot_be_read_is_refused(
    entries: list[tuple[int, bytes]],
) -> None:
    assert mcuboot.verify(protected((0xA0, b"any")), key().public).program == b"p"
    with pytest.raises(DecodeError, match="there twice or cannot be read"):
        mcuboot.verify(protected(*entries), key().public)


def test_an_encrypted_image_is_refused_by_that_name() -> None:
    head = bytearray(mcuboot.parse(SMALL).signed)
    head[16] |= 0x04
    with pytest.raises(IntegrityError, match="it is encrypted"):
        mcuboot.verify(resigned(bytes(head)), key().public)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (0, b"\0", "magic"),
        (8, b"\x1f\0", "a header of 31 octets"),
        (10, b"\xff\0", "differ in the protected TLVs' length"),
        (96, b"\x07\x69", "TLVs begin with 0x6907, not with 0x6908"),
        (98, b"\x03\0", "a table of 3 octets"),
        (102, b"\xff\0", "a TLV goes on after its table"),
    ],
)
def test_a_header_that_makes_no_sense_is_a_decode_error(at: int, value: bytes, reason: str) -> None:
    bad = bytearray(SMALL)
    bad[at : at + len(value)] = value
    with pytest.raises(DecodeError, match=reason):
        mcuboot.parse(bad)


def test_a_table_may_not_end_inside_the_head_of_a_tlv() -> None:
    bad = mcuboot.parse(SMALL).signed + struct.pack("<HH", 0x6907, 6) + b"\1\0"
    with pytest.raises(DecodeError, match="a TLV goes on after its table"):
        mcuboot.parse(bad)


def test_a_size_beyond_the_octets_allocates_nothing_and_is_truncated() -> None:
    bad = bytearray(SMALL)
    bad[12:16] = b"\xff" * 4
    with pytest.raises(TruncatedError, match="it ends before octet 4294967327"):
        mcuboot.parse(bad)


@given(
    tail=st.binary(max_size=200),
    head=st.sampled_from([b"", mcuboot.MAGIC, SMALL[:32], SMALL[:96], SMALL[:100], SMALL[:-70]]),
)
def test_any_octets_at_all_are_refused_with_the_documented_errors(head: bytes, tail: bytes) -> None:
    with contextlib.suppress(DecodeError):
        mcuboot.parse(head + tail)
    with pytest.raises(REFUSED):
        mcuboot.verify(head + tail, key().public)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"program": b""}, "program"),
        ({"header_size": 31}, "header_size"),
        ({"header_size": 0x10000}, "header_size"),
        ({"hardware": 1 << 32}, "hardware"),
        ({"security_counter": -1}, "security_counter"),
        ({"load_address": 0}, "load_address"),
        ({"dependencies": [(256, NEW)]}, "dependencies"),
        ({"dependencies": [(1, NEW)] * 5000}, "dependencies"),
    ],
)
def test_arguments_out_of_range_are_refused(changes: dict[str, object], field: str) -> None:
    program = changes.pop("program", b"x")
    assert isinstance(program, bytes)
    sign: object = mcuboot.sign
    assert callable(sign)
    with pytest.raises(FieldError, match=rf"image\.{field}"):
        sign(program, key=key(), version=NEW, **changes)
