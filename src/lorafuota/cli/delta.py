"""``lorafuota delta``: make a signed delta between two images, look into it, apply it, try it."""

from __future__ import annotations

import argparse
import pathlib
from typing import Final

from ..errors import DecodeError, IntegrityError, RefusedError
from ..image.advice import advise
from ..image.delta import DeltaLimits, DeltaUpdate, apply_delta
from ..image.detools import DetoolsCodec
from ..image.signature import inspect, verify
from ..wire import JSON
from . import imagefile
from .arguments import Status, Subparsers, add_json, subcommand
from .deltafile import add_pair, make_delta
from .deltasimulate import add_simulate
from .output import bad, good, write_json

__all__ = ["add"]

_LIMITS: Final = DeltaLimits(output=1 << 26)


def add(subparsers: Subparsers) -> None:
    """Declare the subcommand and its verbs."""
    parser = subcommand(
        subparsers,
        "delta",
        info,
        summary="make a signed delta between two firmware images, or apply one",
        description=(
            "A delta says how to make the new image of the one that runs. It is signed like\n"
            "an image, and so is what it gives. Creating one needs detools: pip install\n"
            "'lorafuota[delta]'."
        ),
        example="lorafuota delta create old.bin new.bin --key maker.pem --output delta.bin",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    _add_create(verbs)
    _add_info(verbs)
    _add_apply(verbs)
    add_simulate(verbs)


def _add_create(verbs: Subparsers) -> None:
    parser = subcommand(
        verbs,
        "create",
        create,
        summary="make the delta from BASE to TARGET, and sign it",
        description=(
            "Make the delta from BASE, what devices run, to TARGET, what they shall run; both\n"
            "as they stand in the slot, signed. Version and hardware are TARGET's."
        ),
        example="lorafuota delta create old.bin new.bin --key maker.pem --output delta.bin",
    )
    add_pair(parser)
    parser.add_argument(
        "--output", type=pathlib.Path, metavar="FILE", help="without, only figures are shown"
    )
    add_json(parser)


def _add_info(verbs: Subparsers) -> None:
    parser = subcommand(
        verbs,
        "info",
        info,
        summary="show what a delta says and consists of; nothing of it is verified",
        description="Show what a delta says and consists of. Nothing of it is verified.",
        example="lorafuota delta info delta.bin",
    )
    parser.add_argument("delta", type=pathlib.Path, metavar="DELTA")
    add_json(parser)


def _add_apply(verbs: Subparsers) -> None:
    parser = subcommand(
        verbs,
        "apply",
        apply,
        summary="verify a delta, apply it to BASE, verify the result",
        description=(
            "Verify the delta, apply it to BASE, and verify what it gives. Status 1 says that\n"
            "it is refused, and nothing is written."
        ),
        example="lorafuota delta apply old.bin delta.bin --key maker.pem --output new.bin",
    )
    parser.add_argument("base", type=pathlib.Path, metavar="BASE")
    parser.add_argument("delta", type=pathlib.Path, metavar="DELTA")
    imagefile.add_key(parser, private=False)
    parser.add_argument(
        "--output", type=pathlib.Path, metavar="FILE", help="without, nothing is written"
    )
    add_json(parser)


def create(args: argparse.Namespace) -> int:
    """Make a delta, and write it if a file is named for it."""
    made = make_delta(args)
    base, target, block, update = made.base, made.target, made.block, made.update
    if args.output is not None:
        imagefile.write(args.output, block)
    said = advise(len(target), len(block))
    if args.json:
        write_json(
            {
                "base_octets": len(base),
                "target_octets": len(target),
                "patch_octets": len(update.patch),
                "delta_octets": len(block),
                "version": str(made.image.version),
                "advice": [*said],
            }
        )
        return Status.GOOD
    print(f"{'base':<9} {args.base}, {len(base):,} octets")
    print(f"{'target':<9} {args.target}, {len(target):,} octets, version {made.image.version}")
    print(f"{'delta':<9} {len(block):,} octets signed, {len(update.patch):,} of them the patch")
    for sentence in said:
        print(f"{'advice':<9} {sentence}")
    return Status.GOOD


def info(args: argparse.Namespace) -> int:
    """Show what a delta says; 1 when it cannot be read."""
    data = imagefile.read(args.delta)
    try:
        image = inspect(data)
        if not image.is_delta:
            raise DecodeError("delta", 0, "it is a full image")
        update = DeltaUpdate.decode(image.payload)
        codec = DetoolsCodec()
        if update.codec != codec.code:
            raise DecodeError("delta", 4, f"codec {update.codec} is not known here")
        patch = codec.inspect(update.patch, _LIMITS)
    except DecodeError as error:
        return _refuse(args, error)
    if args.json:
        head: dict[str, JSON] = {
            **imagefile.document(image),
            "base_octets": update.base_size,
            "base_sha256": update.base_sha256.hex(),
            "target_octets": update.size,
            "target_sha256": update.sha256.hex(),
            "codec": patch.codec,
            "compression": patch.compression,
            "window_bits": patch.window_bits,
            "patch_octets": patch.size,
            "changed_octets": patch.changed,
            "new_octets": patch.new,
            "records": patch.records,
        }
        write_json(head)
        return Status.GOOD
    print(f"{'file':<9} {args.delta}, {len(data):,} octets")
    for label, text in imagefile.rows(image):
        print(f"{label:<9} {text}")
    print(f"{'base':<9} {update.base_size:,} octets, SHA-256 {update.base_sha256.hex()}")
    print(f"{'target':<9} {update.size:,} octets, SHA-256 {update.sha256.hex()}")
    window = "" if patch.window_bits is None else f", window 2**{patch.window_bits} octets"
    print(
        f"{'patch':<9} {patch.size:,} octets, {patch.codec}, {patch.compression}{window}; "
        f"{patch.changed:,} octets changed, {patch.new:,} new, {patch.records} records"
    )
    print("nothing of this is verified")
    return Status.GOOD


def apply(args: argparse.Namespace) -> int:
    """Apply a delta; 1 when it is refused."""
    base, data = imagefile.read(args.base), imagefile.read(args.delta)
    key = imagefile.verify_key(args)
    codec = DetoolsCodec()
    try:
        delta = verify(data, key)
        if not delta.is_delta:
            raise DecodeError("delta", 0, "it is a full image")
        update = DeltaUpdate.decode(delta.payload)
        result = apply_delta(base, update, {codec.code: codec}, _LIMITS)
        image = verify(result, key)
        if image.is_delta or image.version != delta.version:
            raise IntegrityError("delta", f"it gives version {image.version}, or a delta again")
    except (DecodeError, IntegrityError, RefusedError) as error:
        return _refuse(args, error)
    if args.output is not None:
        imagefile.write(args.output, result)
    if args.json:
        write_json({"octets": len(result), **imagefile.document(image)})
        return Status.GOOD
    for label, text in imagefile.rows(image):
        print(f"{label:<9} {text}")
    print(good(f"{len(result):,} octets, and the signature is good"))
    return Status.GOOD


def _refuse(args: argparse.Namespace, error: Exception) -> Status:
    if args.json:
        write_json({"refused": str(error)})
    else:
        print(bad(f"{args.delta} is refused: {error}"))
    return Status.NO
