"""The sample firmware is what its README says: two real releases, wrapped and signed."""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

FIRMWARE = Path(__file__).resolve().parents[1] / "data" / "firmware"
VERSIONS = {"1.0.0": (1, 0, 0, 0), "1.1.0": (1, 1, 0, 0)}
KINDS = {"signed": "test-only-ecdsa-p256.pem", "ed25519": "test-only-ed25519.pem"}
IMAGES = [(version, kind) for version in VERSIONS for kind in KINDS]

HEADER_MAGIC = 0x96F3B83D
HEADER_SIZE = 0x200
TLV_MAGIC = 0x6907
TLV_KEY_HASH = 0x01
TLV_SHA256 = 0x10
TLV_ECDSA = 0x22
TLV_ED25519 = 0x24

FLASH = range(0x10200, 0x10000 + 0x1C000)
RAM_START, RAM_END = 0x2000_0000, 0x2001_0000


def image_of(version: str, kind: str) -> bytes:
    return (FIRMWARE / f"app-{version}.{kind}.bin").read_bytes()


def program_end(image: bytes) -> int:
    return HEADER_SIZE + int(struct.unpack_from("<I", image, 12)[0])


def signed_part(image: bytes) -> bytes:
    return image[: program_end(image)]


def trailer_of(image: bytes) -> dict[int, bytes]:
    at = program_end(image)
    magic, size = struct.unpack_from("<HH", image, at)
    assert magic == TLV_MAGIC
    assert at + size == len(image)
    values = {}
    at += 4
    while at < len(image):
        kind, length = struct.unpack_from("<HH", image, at)
        values[kind] = image[at + 4 : at + 4 + length]
        assert len(values[kind]) == length
        at += 4 + length
    return values


def runs(data: bytes, length: int) -> list[bytes]:
    return [data[at : at + length] for at in range(len(data) - length + 1)]


def check_signature(kind: str, image: bytes, trailer: dict[int, bytes]) -> None:
    """Raise InvalidSignature unless the trailer's signature is the test key's over the image."""
    key = load_pem_private_key((FIRMWARE / KINDS[kind]).read_bytes(), None)
    if kind == "signed":
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        public = key.public_key()
        public.verify(trailer[TLV_ECDSA], signed_part(image), ec.ECDSA(hashes.SHA256()))
    else:
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        digest = hashlib.sha256(signed_part(image)).digest()
        key.public_key().verify(trailer[TLV_ED25519], digest)


def told_toolchain() -> str | None:
    """Return what compiler and linker say they are, or None if either is not there."""
    if not shutil.which("arm-none-eabi-objcopy"):
        return None
    lines = ""
    for tool in ("arm-none-eabi-gcc", "arm-none-eabi-ld"):
        if not shutil.which(tool):
            return None
        told = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True)
        lines += told.stdout.splitlines()[0] + "\n"
    return lines


@pytest.mark.parametrize(("version", "kind"), IMAGES)
def test_every_image_is_of_8_to_64_kib(version: str, kind: str) -> None:
    assert 8 * 1024 <= len(image_of(version, kind)) <= 64 * 1024


def test_all_that_is_checked_in_is_under_256_kib() -> None:
    files = [path for path in FIRMWARE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < 256 * 1024


def test_the_sums_are_those_of_the_images_and_name_them_all() -> None:
    lines = (FIRMWARE / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    told = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FIRMWARE.glob("*.bin")
    }
    assert told == found
    assert len(found) == 6


@pytest.mark.parametrize(("version", "kind"), IMAGES)
def test_the_header_is_mcuboots_and_tells_the_version(version: str, kind: str) -> None:
    image = image_of(version, kind)
    fields = struct.unpack_from("<IIHHIIBBHII", image)
    magic, load, header, protected, size, flags, major, minor, patch, build, _ = fields
    assert magic == HEADER_MAGIC
    assert (load, header, protected, flags) == (0, HEADER_SIZE, 0, 0)
    assert size == len(image_of(version, "raw"))
    assert (major, minor, patch, build) == VERSIONS[version]
    assert set(image[32:HEADER_SIZE]) == {0xFF}


@pytest.mark.parametrize(("version", "kind"), IMAGES)
def test_the_signed_image_holds_the_raw_program(version: str, kind: str) -> None:
    image = image_of(version, kind)
    assert image[HEADER_SIZE : program_end(image)] == image_of(version, "raw")


@pytest.mark.parametrize(("version", "kind"), IMAGES)
def test_the_sha256_tlv_is_the_hash_of_header_and_program(version: str, kind: str) -> None:
    image = image_of(version, kind)
    assert trailer_of(image)[TLV_SHA256] == hashlib.sha256(signed_part(image)).digest()


@pytest.mark.parametrize(("version", "kind"), IMAGES)
def test_the_signature_is_the_test_keys(version: str, kind: str) -> None:
    image = image_of(version, kind)
    check_signature(kind, image, trailer_of(image))


@pytest.mark.parametrize(("version", "kind"), IMAGES)
def test_one_flipped_bit_breaks_the_signature(version: str, kind: str) -> None:
    image = bytearray(image_of(version, kind))
    trailer = trailer_of(bytes(image))
    image[HEADER_SIZE + 5000] ^= 0x10
    with pytest.raises(InvalidSignature):
        check_signature(kind, bytes(image), trailer)


@pytest.mark.parametrize(("version", "kind"), IMAGES)
def test_the_key_hash_tlv_names_the_test_key(version: str, kind: str) -> None:
    key = load_pem_private_key((FIRMWARE / KINDS[kind]).read_bytes(), None)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert trailer_of(image_of(version, kind))[TLV_KEY_HASH] == hashlib.sha256(public).digest()


@pytest.mark.parametrize("version", VERSIONS)
def test_signing_again_with_ed25519_gives_the_same_signature(version: str) -> None:
    key = load_pem_private_key((FIRMWARE / KINDS["ed25519"]).read_bytes(), None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    trailer = trailer_of(image_of(version, "ed25519"))
    assert key.sign(trailer[TLV_SHA256]) == trailer[TLV_ED25519]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_vector_table_is_one_a_cortex_m_starts_from(version: str) -> None:
    vectors = struct.unpack_from("<48I", image_of(version, "raw"))
    stack, reset = vectors[:2]
    assert RAM_START < stack <= RAM_END
    assert stack % 8 == 0
    program = range(FLASH.start + 4 * len(vectors), FLASH.start + len(image_of(version, "raw")))
    assert program.stop <= FLASH.stop
    assert (reset & ~1) in program
    for vector in vectors[1:]:
        assert vector == 0 or (vector & 1 and (vector & ~1) in program)
    assert all(vectors[index] for index in (1, 2, 3, 11, 14, 15))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_program_is_neither_padding_nor_random(version: str) -> None:
    program = image_of(version, "raw")
    assert max(program.count(value) for value in range(256)) < len(program) // 4
    assert bytes(64) not in program
    assert b"\xff" * 64 not in program
    assert b"field node " + version.encode() in program
    assert len(set(runs(program, 4))) < 0.9 * len(program)


def test_the_releases_differ_as_releases_do() -> None:
    old, new = image_of("1.0.0", "raw"), image_of("1.1.0", "raw")
    assert 500 < len(new) - len(old) < 4096
    same_place = sum(left == right for left, right in zip(old, new, strict=False))
    assert same_place < len(old) // 2, "addresses must have moved"
    kept = set(runs(new, 16))
    share = sum(run in kept for run in runs(old, 16)) / (len(old) - 15)
    assert 0.4 < share < 0.9


def test_the_new_release_has_the_new_command_and_channel() -> None:
    old, new = image_of("1.0.0", "raw"), image_of("1.1.0", "raw")
    for text in (b"history\0", b"moisture\0", b"0 mineral, 1 clay, 2 peat\0"):
        assert text not in old
        assert text in new


def test_the_two_releases_have_different_thermistor_tables() -> None:
    old, new = image_of("1.0.0", "raw"), image_of("1.1.0", "raw")
    for file, has, has_not in (("1_0", old, new), ("1_1", new, old)):
        text = (FIRMWARE / "src" / "tables" / f"thermistor_{file}.inc").read_text(encoding="ascii")
        numbers = text.split("*/")[1].replace("\n", " ").split(",")[:-1]
        table = struct.pack(f"<{len(numbers)}h", *map(int, numbers))
        assert len(table) == 258
        assert table in has
        assert table not in has_not


def test_the_readme_tells_the_true_sizes() -> None:
    text = (FIRMWARE / "README.md").read_text(encoding="utf-8")
    for kind in ("signed", "ed25519", "raw"):
        first, second = (len(image_of(version, kind)) for version in VERSIONS)
        assert f"| {first:,} and {second:,} |" in text
    grown = len(image_of("1.1.0", "raw")) - len(image_of("1.0.0", "raw"))
    assert f"grows by {grown:,} octets" in text


@pytest.mark.parametrize("key", KINDS.values())
def test_the_private_keys_say_in_their_name_that_they_are_for_tests_only(key: str) -> None:
    assert key.startswith("test-only-")
    assert sorted(path.name for path in FIRMWARE.rglob("*.pem")) == sorted(KINDS.values())


@pytest.mark.skipif(
    told_toolchain() != (FIRMWARE / "TOOLCHAIN").read_text(encoding="ascii"),
    reason="the toolchain of tests/data/firmware/TOOLCHAIN is not on the path",
)
def test_building_again_elsewhere_gives_the_same_raw_images(tmp_path: Path) -> None:
    source = tmp_path / "some where else" / "src"
    shutil.copytree(FIRMWARE / "src", source)
    subprocess.run(
        [sys.executable, str(source / "build_firmware.py")], check=True, capture_output=True
    )
    for version in VERSIONS:
        built = source.parent / f"app-{version}.raw.bin"
        assert built.read_bytes() == image_of(version, "raw")
