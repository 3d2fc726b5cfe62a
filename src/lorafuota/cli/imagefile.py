"""Images and their keys as files: read with a limit, written whole, errors that repeat no key."""

from __future__ import annotations

import argparse
import getpass
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Final

from ..errors import FieldError
from ..image.keys import Scheme, SigningKey, VerifyKey
from ..image.signature import SignedImage
from ..image.version import ImageVersion
from ..wire import JSON
from .arguments import InputError, Parser

__all__ = [
    "PASSWORD",
    "SCHEMES",
    "add_key",
    "document",
    "number",
    "read",
    "rows",
    "signing_key",
    "verify_key",
    "version",
    "write",
]

PASSWORD: Final = "LORAFUOTA_IMAGE_PASSWORD"
"""Environment variable for the password of a private key."""

SCHEMES: Final = tuple(scheme.value for scheme in Scheme)
"""What --scheme takes."""

_MAX_IMAGE: Final = 1 << 26
_MAX_KEY: Final = 1 << 16
_PIECE: Final = 1 << 16


def add_key(parser: Parser, *, private: bool) -> None:
    """Declare --key and --scheme."""
    what = "the private key" if private else "the maker's key, public or private"
    parser.add_argument(
        "--key", type=pathlib.Path, metavar="PEM", required=True, help=f"{what}, a file in PEM"
    )
    parser.add_argument(
        "--scheme",
        choices=SCHEMES,
        help="how the key signs; the usual for its kind: ecdsa-p256 or ed25519",
    )


def verify_key(args: argparse.Namespace) -> VerifyKey:
    """Read the key of --key; the public half of a private one.

    Raises:
        InputError: It is none.
        OSError: The file cannot be read.
    """
    pem = _read(args.key, _MAX_KEY)
    try:
        if b"PRIVATE KEY" in pem:
            return _private(args, pem).public
        return VerifyKey.from_pem(pem, _scheme(args))
    except FieldError as error:
        raise _bad_key(args.key, error) from None


def signing_key(args: argparse.Namespace) -> SigningKey:
    """Read the private key of --key, with the password of the environment or of a prompt.

    Raises:
        InputError: It is none, or the password is wrong.
        OSError: The file cannot be read.
    """
    pem = _read(args.key, _MAX_KEY)
    try:
        return _private(args, pem)
    except FieldError as error:
        raise _bad_key(args.key, error) from None


def _private(args: argparse.Namespace, pem: bytes) -> SigningKey:
    password = None
    if b"ENCRYPTED" in pem:
        text = os.environ.get(PASSWORD)
        if text is None and sys.stdin is not None and sys.stdin.isatty():
            text = getpass.getpass("password of the key: ", sys.stderr)
        if text is None:
            raise InputError(f"{args.key} is encrypted: set {PASSWORD}, or run it on a terminal")
        password = text.encode()
    return SigningKey.from_pem(pem, password=password, scheme=_scheme(args))


def _bad_key(path: pathlib.Path, error: FieldError) -> InputError:
    if error.field == "scheme":
        return InputError(f"--scheme is for another kind of key than {path}")
    return InputError(f"{path}: expected {error.expected}")


def _scheme(args: argparse.Namespace) -> Scheme | None:
    return None if args.scheme is None else Scheme(args.scheme)


def read(path: pathlib.Path) -> bytes:
    """Read a file that is not empty, and not larger than any image.

    Raises:
        InputError: It is.
        OSError: It cannot be read.
    """
    data = _read(path, _MAX_IMAGE)
    if not data:
        raise InputError(f"{path} is empty")
    return data


def _read(path: pathlib.Path, most: int) -> bytes:
    data = bytearray()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):  # asked for all at once, room for the most is taken
            data += piece
            if len(data) > most:
                raise InputError(f"{path} is longer than {most} octets")
    return bytes(data)


def write(path: pathlib.Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def number(text: str) -> int:
    """Read a HW version or a counter: 32 bits, decimal, or hex behind 0x."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 32 bits, as 7 or 0x0107")
    return value


def version(text: str) -> ImageVersion:
    """Read a version."""
    try:
        return ImageVersion.parse(text)
    except FieldError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {error.expected}") from None


def rows(image: SignedImage) -> Iterator[tuple[str, str]]:
    """Yield what a signed block says, as labels and texts."""
    kinds = {"mcuboot": "MCUboot image", "raw": "image behind a detached signature"}
    yield "kind", kinds[image.kind.value] + (", a delta" if image.is_delta else "")
    yield "version", f"{image.version}, FW version {image.version.fw_version} in TS006"
    yield "hardware", "not told" if image.hardware is None else f"0x{image.hardware:08x}"
    if image.security_counter is not None:
        yield "counter", str(image.security_counter)
    yield "payload", f"{len(image.payload):,} octets"
    for notice in image.notices:
        yield "notice", notice


def document(image: SignedImage) -> dict[str, JSON]:
    """Return what a signed block says as JSON."""
    return {
        "kind": image.kind.value,
        "is_delta": image.is_delta,
        "version": str(image.version),
        "fw_version": image.version.fw_version,
        "hardware": image.hardware,
        "security_counter": image.security_counter,
        "payload_octets": len(image.payload),
        "notices": [*image.notices],
    }
