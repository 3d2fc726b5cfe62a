"""What simulated devices let in: its options, and how a campaign in a file keeps it."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import pathlib
from typing import Final

from ..errors import DecodeError
from ..image.detools import DetoolsCodec
from ..image.install import ImageGate
from ..image.keys import Scheme, VerifyKey
from ..image.signature import SignedImage, inspect
from ..image.version import ImageVersion
from ..simulate import Scenario
from ..wire import JSON
from . import imagefile
from .arguments import InputError, Parser

__all__ = ["FleetGate", "add_gate", "gate_for", "gate_given", "gate_of", "with_versions"]

_NAMES: Final = ("key", "scheme", "hardware", "running", "base")


@dataclasses.dataclass(frozen=True, slots=True)
class FleetGate:
    """The gate of every device of a simulated fleet.

    Attributes:
        gate: What each lets in, at the start.
        base: The file with the octets that run, for a delta.
    """

    gate: ImageGate
    base: pathlib.Path | None = None

    def __call__(self, device: int) -> ImageGate:
        """Return the gate of a device: all have the same."""
        return self.gate

    def to_json(self) -> JSON:
        """Return it as JSON: the public key, the numbers, and where the octets that run are."""
        gate = self.gate
        return {
            "key": gate.key.pem.decode(),
            "scheme": gate.key.scheme.value,
            "hardware": None if gate.allow_any_hardware else gate.hw_version,
            "running": str(gate.running),
            "base": None if self.base is None else str(self.base.resolve()),
            "base_sha256": None if gate.base is None else hashlib.sha256(gate.base).hexdigest(),
        }

    @classmethod
    def from_json(cls, fields: JSON) -> FleetGate:
        """Undo :meth:`to_json`.

        Raises:
            InputError: *fields* is something else, or the file has other octets by now.
            OSError: The file cannot be read.
        """
        match fields:
            case {
                "key": str(pem),
                "scheme": str(scheme),
                "hardware": int() | None as hardware,
                "running": str(running),
                "base": str() | None as base,
                "base_sha256": str() | None as digest,
            } if scheme in imagefile.SCHEMES:
                key = VerifyKey.from_pem(pem.encode(), Scheme(scheme))
                path = None if base is None else pathlib.Path(base)
                found = gate_for(key, hardware, ImageVersion.parse(running), path)
            case _:
                raise InputError("the store does not say what its devices let in")
        octets = found.gate.base
        if octets is not None and hashlib.sha256(octets).hexdigest() != digest:
            raise InputError(f"{base} is not what the devices ran when the campaign began")
        return found


def add_gate(parser: Parser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("signed images and deltas, which devices check and install")
    group.add_argument(
        "--key", type=pathlib.Path, metavar="PEM", help="the maker's key, which devices hold"
    )
    group.add_argument(
        "--scheme",
        choices=imagefile.SCHEMES,
        help="how the key signs; the usual for its kind: ecdsa-p256 or ed25519",
    )
    group.add_argument(
        "--hardware", type=imagefile.number, metavar="N", help="HW version of the devices"
    )
    group.add_argument(
        "--running",
        type=imagefile.version,
        metavar="V",
        help="what they run (default: the version of --base, else 0.0.0)",
    )
    group.add_argument(
        "--base", type=pathlib.Path, metavar="FILE", help="... and its octets, for a delta"
    )


def gate_given(args: argparse.Namespace) -> bool:
    """Say whether any of the options was given."""
    return any(getattr(args, name) is not None for name in _NAMES)


def gate_of(args: argparse.Namespace) -> FleetGate | None:
    """Return what the options describe; None without ``--key``.

    Raises:
        InputError: There is no key where one is needed, or it is none.
        OSError: A file cannot be read.
    """
    if args.key is None:
        if gate_given(args):
            raise InputError("--scheme, --hardware, --running and --base go with --key")
        return None
    return gate_for(imagefile.verify_key(args), args.hardware, args.running, args.base)


def gate_for(
    key: VerifyKey,
    hardware: int | None,
    running: ImageVersion | None,
    path: pathlib.Path | None,
) -> FleetGate:
    """Return the gate of devices.

    Args:
        key: The maker's.
        hardware: What they are; None takes images for any.
        running: What they run; None for the version of *path*, or 0.0.0.
        path: The file with the octets that run, for a delta.

    Raises:
        InputError: *path* does not tell a version, and none is given.
        OSError: It cannot be read.
    """
    base = None if path is None else imagefile.read(path)
    if running is None:
        running = (
            ImageVersion(0) if base is None else _inspect(base, str(path), "--running").version
        )
    gate = ImageGate(
        key=key,
        hw_version=hardware or 0,
        running=running,
        base=base,
        allow_any_hardware=hardware is None,
        codecs=(DetoolsCodec(),),
    )
    return FleetGate(gate, path)


def with_versions(scenario: Scenario, gate: FleetGate) -> Scenario:
    """Return the scenario with the version to confirm, if none was given, and a delta's base.

    Raises:
        InputError: The image is not signed and so does not tell.
    """
    if scenario.firmware_version is None:
        version = _inspect(scenario.image, "the image", "--confirm").version
        scenario = dataclasses.replace(scenario, firmware_version=version.fw_version)
    try:
        is_delta = inspect(scenario.image).is_delta
        base = inspect(gate.gate.base or b"").version.fw_version
    except DecodeError:
        return scenario
    asks = is_delta and base != scenario.firmware_version
    return dataclasses.replace(scenario, base_version=base) if asks else scenario


def _inspect(octets: bytes, what: str, option: str) -> SignedImage:
    try:
        return inspect(octets)
    except DecodeError as error:
        raise InputError(f"{what} is not signed: {error}; give {option}") from None
