"""A signed delta between two signed image files."""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
from typing import Final

from ..errors import DecodeError, IntegrityError
from ..image import mcuboot, raw
from ..image.delta import DeltaUpdate, create_delta
from ..image.detools import Compression, DetoolsCodec
from ..image.keys import VerifyKey
from ..image.signature import SignedImage, verify
from . import imagefile
from .arguments import InputError, Parser

__all__ = ["MadeDelta", "add_pair", "make_delta"]

_LEAST_LOOKAHEAD: Final = 3
_MOST_LOOKAHEAD: Final = 7


@dataclasses.dataclass(frozen=True, slots=True)
class MadeDelta:
    """A delta, and what it was made of.

    Attributes:
        base: The octets that run.
        target: The octets that shall run.
        image: What the target says of itself.
        update: The delta ...
        block: ... signed.
        key: The public half of the key that signed it.
    """

    base: bytes
    target: bytes
    image: SignedImage
    update: DeltaUpdate
    block: bytes
    key: VerifyKey


def add_pair(parser: Parser) -> None:
    """Declare the two files, the private key, and how the delta is packed."""
    parser.add_argument("base", type=pathlib.Path, metavar="BASE")
    parser.add_argument("target", type=pathlib.Path, metavar="TARGET")
    imagefile.add_key(parser, private=True)
    parser.add_argument(
        "--compression",
        choices=[one.value for one in Compression],
        default=Compression.HEATSHRINK.value,
        help="heatshrink",
    )
    parser.add_argument(
        "--window-bits",
        type=int,
        metavar="N",
        default=10,
        help="heatshrink: the device keeps 2**N octets; 10",
    )


def make_delta(args: argparse.Namespace) -> MadeDelta:
    """Make the delta from BASE to TARGET, and sign it.

    Raises:
        InputError: TARGET is not signed with the key, or is a delta itself.
        MissingExtraError: detools is not installed.
        OSError: A file cannot be read.
    """
    base, target = imagefile.read(args.base), imagefile.read(args.target)
    key = imagefile.signing_key(args)
    try:
        image = verify(target, key.public)
    except (DecodeError, IntegrityError) as error:
        raise InputError(f"{args.target} is not signed with this key: {error}") from None
    if image.is_delta:
        raise InputError(f"{args.target} is a delta itself")
    bits = args.window_bits
    codec = DetoolsCodec(
        compression=Compression(args.compression),
        window_bits=bits,
        lookahead_bits=max(_LEAST_LOOKAHEAD, min(_MOST_LOOKAHEAD, bits - 1)),
    )
    update = create_delta(base, target, codec)
    payload = update.encode()
    if target[:4] == mcuboot.MAGIC:
        block = mcuboot.sign(
            payload,
            key=key,
            version=image.version,
            hardware=image.hardware,
            header_size=32,
            is_delta=True,
        )
    else:
        signature = raw.sign(
            payload, key=key, version=image.version, hardware=image.hardware, is_delta=True
        )
        block = raw.join(payload, signature)
    return MadeDelta(base, target, image, update, block, key.public)
