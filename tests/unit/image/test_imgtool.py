"""imgtool verifies what we sign and we verify what it signs: both algorithms, every option."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from lorafuota.errors import DecodeError, IntegrityError
from lorafuota.image import mcuboot
from lorafuota.image.keys import Scheme, SigningKey
from lorafuota.image.version import ImageVersion
from tests.unit.image.support import FIRMWARE, HARDWARE, NEW, PEM, REFUSED, key, sample

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("imgtool") is None, reason="imgtool is not installed (extra: test)"
)

KINDS = sorted(PEM)
ED25519 = (Scheme.ED25519, Scheme.ED25519_SHA512, Scheme.ED25519_PURE)
SIZES = ("--align", "8", "--header-size", "0x200", "--pad-header", "--slot-size", "0x1c000")
WISHES = {
    Scheme.ECDSA_P256: ("--sha", "256"),
    Scheme.ED25519: ("--sha", "256"),
    Scheme.ED25519_SHA512: ("--sha", "512"),
    Scheme.ED25519_PURE: ("--pure",),
}


def imgtool(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imgtool.main", *argv],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def signed(tmp_path: Path, kind: str, *options: str, version: str = "1.1.0") -> bytes:
    """What imgtool makes of the sample program."""
    made = tmp_path / "made.bin"
    source = FIRMWARE / f"app-{version}.raw.bin"
    done = imgtool(
        *("sign", "--key", str(FIRMWARE / PEM[kind]), "--version", f"{version}+0"),
        *(*SIZES, *options, str(source), str(made)),
    )
    assert done.returncode == 0, done.stderr
    return made.read_bytes()


def verdict(tmp_path: Path, image: bytes, kind: str) -> bool:
    path = tmp_path / "ours.bin"
    path.write_bytes(image)
    done = imgtool("verify", "--key", str(FIRMWARE / PEM[kind]), str(path))
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


def private(kind: str, scheme: Scheme) -> SigningKey:
    return SigningKey.from_pem((FIRMWARE / PEM[kind]).read_bytes(), scheme=scheme)


CASES = [("signed", Scheme.ECDSA_P256), *(("ed25519", scheme) for scheme in ED25519)]


@pytest.mark.parametrize(("kind", "scheme"), CASES)
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_imgtool_verifies_what_we_sign(
    kind: str, scheme: Scheme, version: str, tmp_path: Path
) -> None:
    made = mcuboot.sign(
        sample(version, "raw"),
        key=private(kind, scheme),
        version=ImageVersion.parse(version),
        hardware=HARDWARE,
        security_counter=3,
        dependencies=[(1, ImageVersion(2, 3, 4))],
    )
    assert verdict(tmp_path, made, kind)
    other = next(one for one in KINDS if one != kind)
    assert not verdict(tmp_path, made, other)
    bad = bytearray(made)
    bad[5000] ^= 1
    assert not verdict(tmp_path, bytes(bad), kind)


@pytest.mark.parametrize(("kind", "scheme"), CASES)
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_we_verify_what_imgtool_signs_and_only_under_the_right_scheme(
    kind: str, scheme: Scheme, version: str, tmp_path: Path
) -> None:
    made = signed(tmp_path, kind, *WISHES[scheme], version=version)
    image = mcuboot.verify(made, private(kind, scheme).public)
    assert image.program == sample(version, "raw")
    assert image.version == ImageVersion.parse(version)
    for other_kind, other in CASES:
        if other is not scheme:
            with pytest.raises(IntegrityError):
                mcuboot.verify(made, private(other_kind, other).public)


@pytest.mark.parametrize("scheme", ED25519, ids=lambda one: one.value)
def test_with_ed25519_both_make_the_same_octets(scheme: Scheme, tmp_path: Path) -> None:
    ours = mcuboot.sign(sample("1.1.0", "raw"), key=private("ed25519", scheme), version=NEW)
    assert ours == signed(tmp_path, "ed25519", *WISHES[scheme])


def test_with_ecdsa_both_make_the_same_octets_up_to_the_signature(tmp_path: Path) -> None:
    ours = mcuboot.sign(sample("1.1.0", "raw"), key=key("signed"), version=NEW)
    theirs = signed(tmp_path, "signed")
    left, right = mcuboot.parse(ours), mcuboot.parse(theirs)
    assert left.signed == right.signed
    assert left.tlvs[:2] == right.tlvs[:2]
    assert left.tlvs[2].kind == right.tlvs[2].kind


def test_all_protected_tlvs_come_out_as_imgtool_writes_them(tmp_path: Path) -> None:
    octets = HARDWARE.to_bytes(4, "little")
    theirs = signed(
        tmp_path,
        "ed25519",
        *("--security-counter", "7", "--dependencies", "(1, 1.2.3+4)"),
        *("--custom-tlv", f"0x{mcuboot.HARDWARE_TLV:04x}", f"0x{octets.hex()}"),
    )
    image = mcuboot.verify(theirs, key().public)
    assert image.security_counter == 7
    assert image.notices == ("needs version 1.2.3+4 of image 1: not checked",)
    assert image.hardware == HARDWARE
    ours = mcuboot.sign(
        sample("1.1.0", "raw"),
        key=key(),
        version=NEW,
        security_counter=7,
        dependencies=[(1, ImageVersion(1, 2, 3, 4))],
        hardware=HARDWARE,
    )
    assert ours == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_with_the_whole_public_key_is_verified(kind: str, tmp_path: Path) -> None:
    made = signed(tmp_path, kind, "--public-key-format", "full")
    assert mcuboot.verify(made, key(kind).public).program == sample("1.1.0", "raw")


def test_a_padded_signature_is_verified_and_each_of_its_octets_counts(tmp_path: Path) -> None:
    made = signed(tmp_path, "signed", "--pad-sig")
    public = key("signed").public
    start = len(made) - 72
    assert mcuboot.verify(made, public).tlvs[-1].value == made[start:]
    for at in range(start - 4, len(made)):
        bad = bytearray(made)
        bad[at] ^= 1 << at % 8
        with pytest.raises(REFUSED):
            mcuboot.verify(bad, public)


def test_a_padded_slot_is_refused_because_nobody_signed_what_follows(tmp_path: Path) -> None:
    made = signed(tmp_path, "ed25519", "--pad")
    assert len(made) == 0x1C000
    with pytest.raises(DecodeError, match="octets follow the image"):
        mcuboot.verify(made, key().public)


def test_imgtool_takes_one_corruption_that_we_refuse(tmp_path: Path) -> None:
    """The hash of the public key is not under the signature, and imgtool does not look at it."""
    made = bytearray(sample("1.1.0", "ed25519"))
    at = made.find(key().public.key_hash)
    made[at] ^= 1
    assert verdict(tmp_path, bytes(made), "ed25519")
    with pytest.raises(IntegrityError, match="another key signed it"):
        mcuboot.verify(made, key().public)
