"""``lorafuota image``: look into an image, sign one, verify one."""

from __future__ import annotations

import argparse
import hashlib
import pathlib

from ..errors import DecodeError, IntegrityError, RefusedError
from ..image import mcuboot, raw
from ..image.advice import advise
from ..image.signature import SignedImage, inspect, verify
from ..image.version import require_newer
from ..wire import JSON
from . import imagefile
from .arguments import Status, Subparsers, add_json, subcommand
from .output import bad, good, write_json

__all__ = ["add"]


def add(subparsers: Subparsers) -> None:
    """Declare the subcommand and its verbs."""
    parser = subcommand(
        subparsers,
        "image",
        info,
        summary="look into a firmware image, sign it, verify it",
        description=(
            "MCUboot images, as imgtool makes them, and images with a detached signature\n"
            "for those without MCUboot. The key decides the algorithm, never the image."
        ),
        example="lorafuota image verify app.signed.bin --key maker.pem --newer-than 1.0.0",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    _add_info(verbs)
    _add_sign(verbs)
    _add_verify(verbs)


def _add_info(verbs: Subparsers) -> None:
    parser = subcommand(
        verbs,
        "info",
        info,
        summary="show what an image says; nothing of it is verified",
        description="Show what an image says. Nothing of it is verified: see verify.",
        example="lorafuota image info app.signed.bin",
    )
    parser.add_argument("image", type=pathlib.Path, metavar="IMAGE")
    add_json(parser)


def _add_sign(verbs: Subparsers) -> None:
    parser = subcommand(
        verbs,
        "sign",
        sign,
        summary="wrap a program into an MCUboot image, or make its detached signature",
        description=(
            "Wrap a program as the linker made it into a signed MCUboot image; or, with\n"
            "--raw, put a signature in front of it and leave it as it is; or, with\n"
            "--detached, make that signature a file of its own.\n"
            "The password of an encrypted key comes from LORAFUOTA_IMAGE_PASSWORD or a prompt."
        ),
        example=(
            "lorafuota image sign app.bin --key maker.pem --version 1.1.0 --hardware 0x0107 \\\n"
            "    --output app.signed.bin"
        ),
    )
    parser.add_argument("program", type=pathlib.Path, metavar="PROGRAM")
    imagefile.add_key(parser, private=True)
    parser.add_argument(
        "--version",
        type=imagefile.version,
        metavar="V",
        required=True,
        help="major.minor.revision+build, the later parts optional",
    )
    parser.add_argument(
        "--hardware",
        type=imagefile.number,
        metavar="N",
        help="HW version it is for, as in DevVersionAns; devices refuse images that do not say",
    )
    parser.add_argument(
        "--output", type=pathlib.Path, metavar="FILE", help="without, only figures are shown"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--raw", action="store_true", help="no MCUboot: signature, then the program")
    kind.add_argument("--detached", action="store_true", help="... and the signature only")
    parser.add_argument(
        "--header-size",
        type=imagefile.number,
        metavar="N",
        help="of an MCUboot image, octets; what the program was linked for; 512",
    )
    parser.add_argument(
        "--security-counter", type=imagefile.number, metavar="N", help="of an MCUboot image; none"
    )
    add_json(parser)


def _add_verify(verbs: Subparsers) -> None:
    parser = subcommand(
        verbs,
        "verify",
        check,
        summary="check signature, hardware and version, in that order, as a device does",
        description=(
            "Check the signature; with --hardware whom it is for; with --newer-than the\n"
            "version. Status 1 says that the image is refused, and one line says why."
        ),
        example=(
            "lorafuota image verify app.signed.bin --key maker.pem --hardware 0x0107 \\\n"
            "    --newer-than 1.0.0"
        ),
    )
    parser.add_argument("image", type=pathlib.Path, metavar="IMAGE")
    imagefile.add_key(parser, private=False)
    parser.add_argument(
        "--signature", type=pathlib.Path, metavar="FILE", help="the detached signature of IMAGE"
    )
    parser.add_argument("--hardware", type=imagefile.number, metavar="N", help="of the device")
    parser.add_argument(
        "--newer-than", type=imagefile.version, metavar="V", help="what the device runs"
    )
    parser.add_argument(
        "--compare-build",
        action="store_true",
        help="let build numbers decide, for a boot loader built to do so",
    )
    add_json(parser)


def info(args: argparse.Namespace) -> int:
    """Show what an image says."""
    data = imagefile.read(args.image)
    try:
        image = inspect(data)
    except DecodeError as error:
        return _refuse(args, str(args.image), error)
    _show(args, args.image, data, image, verified=False)
    return Status.GOOD


def sign(args: argparse.Namespace) -> int:
    """Sign, and write the image if a file is named for it."""
    program = imagefile.read(args.program)
    key = imagefile.signing_key(args)
    if args.raw or args.detached:
        made = raw.sign(program, key=key, version=args.version, hardware=args.hardware)
        block = raw.join(program, made)
    else:
        made = block = mcuboot.sign(
            program,
            key=key,
            version=args.version,
            hardware=args.hardware,
            security_counter=args.security_counter,
            header_size=512 if args.header_size is None else args.header_size,
        )
    image = verify(block, key.public)
    if args.output is not None:
        imagefile.write(args.output, made if args.detached else block)
    _show(args, args.output or args.program, block, image, verified=True)
    return Status.GOOD


def check(args: argparse.Namespace) -> int:
    """Verify; 1 when the image is refused."""
    data = imagefile.read(args.image)
    if args.signature is not None:
        data = raw.join(data, imagefile.read(args.signature))
    key = imagefile.verify_key(args)
    try:
        image = verify(data, key)
        if args.hardware is not None:
            image.require_target(args.hardware)
        if args.newer_than is not None:
            require_newer(image.version, args.newer_than, build=args.compare_build)
    except (DecodeError, IntegrityError, RefusedError) as error:
        return _refuse(args, str(args.image), error)
    _show(args, args.image, data, image, verified=True)
    return Status.GOOD


def _show(
    args: argparse.Namespace,
    path: pathlib.Path,
    data: bytes,
    image: SignedImage,
    *,
    verified: bool,
) -> None:
    said = advise(len(data))
    if args.json:
        head: dict[str, JSON] = {
            "file": str(path),
            "octets": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "verified": verified,
        }
        write_json({**head, **imagefile.document(image), "advice": [*said]})
        return
    print(f"{'file':<9} {path}, {len(data):,} octets")
    for label, text in imagefile.rows(image):
        print(f"{label:<9} {text}")
    for sentence in said:
        print(f"{'advice':<9} {sentence}")
    print(good("the signature is good") if verified else "nothing of this is verified")


def _refuse(args: argparse.Namespace, name: str, error: Exception) -> Status:
    if args.json:
        write_json({"file": name, "verified": False, "refused": str(error)})
    else:
        print(bad(f"{name} is refused: {error}"))
    return Status.NO
