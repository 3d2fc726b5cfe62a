"""Invariant: an image is read to its end or refused, and only what was signed passes.

For both kinds of signed image, the gate of a device, and keys in PEM.
"""

from __future__ import annotations

import functools

from lorafuota.errors import DecodeError, FieldError, IntegrityError
from lorafuota.firmwaremanagement.v1 import UpImageStatus
from lorafuota.image import mcuboot, raw, signature
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.install import ImageGate
from lorafuota.image.keys import Scheme, SigningKey, VerifyKey
from lorafuota.image.version import ImageVersion
from tests.fuzz.targets.target import Target
from tests.unit.image.support import FIRMWARE, HARDWARE, LIMITS, NEW, OLD, PEM, delta, key, sample
from tests.unit.image.support import image as release

PROGRAM = bytes(range(200))


@functools.cache
def gate() -> ImageGate:
    return ImageGate(
        key=key().public,
        hw_version=HARDWARE,
        running=OLD,
        base=release(OLD),
        codecs=(DetoolsCodec(),),
        limits=LIMITS,
    )


def image(data: bytes) -> str:
    try:
        found = signature.inspect(data)
    except DecodeError as error:
        assert 0 <= error.offset <= len(data)
        found = None
    verdict = gate().check(data)
    passed = verdict.image is not None
    assert passed == (verdict.status is UpImageStatus.VALID)
    if passed:
        assert data in images(), "it was never signed"
    try:
        signature.verify(data, key().public)
    except (DecodeError, IntegrityError) as error:
        assert not passed
        return type(error).__name__
    assert found is not None
    assert data in images()
    return "an image" if passed else f"refused: {verdict.failed}"


@functools.cache
def images() -> tuple[bytes, ...]:
    """Images of both kinds, small ones and the sample; one that is older, one for others."""
    mine, found = key(), [release(NEW), release(OLD), delta()]
    for hardware in (HARDWARE, 7, None):
        found.append(
            mcuboot.sign(PROGRAM, key=mine, version=NEW, hardware=hardware, header_size=32)
        )
        found.append(raw.join(PROGRAM, raw.sign(PROGRAM, key=mine, version=NEW, hardware=hardware)))
    full = mcuboot.sign(
        PROGRAM,
        key=mine,
        version=NEW,
        hardware=HARDWARE,
        security_counter=9,
        dependencies=[(1, ImageVersion(1, 2, 3))],
        load_address=0x2000_0000,
    )
    return (*found, full)


def images_and_others() -> tuple[bytes, ...]:
    """Small ones first and most often; those another key signed are read as well."""
    return (*images()[3:] * 3, *images()[:3], sample("1.0.0", "signed"), b"")


def pem(data: bytes) -> str:
    kinds = []
    for scheme in (None, Scheme.ED25519_PURE):
        try:
            found = VerifyKey.from_pem(data, scheme)
            assert VerifyKey.from_pem(found.pem, scheme) == found
            kinds.append("a public key")
        except FieldError as error:
            assert str(error)
        for password in (None, b"secret"):
            try:
                own = SigningKey.from_pem(data, password=password, scheme=scheme)
                own.public.verify(own.sign(b"x"), b"x")
                kinds.append("a private key")
            except FieldError as error:
                assert str(error)
    return kinds[-1] if kinds else "FieldError"


@functools.cache
def pems() -> tuple[bytes, ...]:
    found = [path.read_bytes() for path in sorted(FIRMWARE.glob("*.pem"))]
    found += [key(kind).public.pem for kind in PEM]
    return (*found, _ENCRYPTED, b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")


_ENCRYPTED = b"""-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBDOLnx2bdZ8xr8cGpZF
-----END ENCRYPTED PRIVATE KEY-----
"""


TARGETS = (
    Target(name="image", one_input=image, seeds=images_and_others),
    Target(name="pem", one_input=pem, seeds=pems),
)
