"""A signed block, whichever way it was signed: MCUboot image, or detached signature and image."""

from __future__ import annotations

import dataclasses
import enum
from typing import final

from ..errors import DecodeError, TargetError
from ..types import BytesLike
from . import mcuboot, raw
from .keys import VerifyKey
from .version import ImageVersion

__all__ = ["SignedImage", "SignedKind", "inspect", "verify"]


@final
class SignedKind(enum.Enum):
    """How a block is signed."""

    MCUBOOT = "mcuboot"
    RAW = "raw"


@final
@dataclasses.dataclass(frozen=True, slots=True)
class SignedImage:
    """What a signed block says.

    Attributes:
        kind: How it is signed.
        version: Of the firmware it leads to.
        hardware: HW version it is for; None if it does not say.
        security_counter: MCUboot's, if it has one.
        is_delta: Whether *payload* is a delta.
        payload: The program, or the delta.
        notices: What it asks for and nobody checks.
    """

    kind: SignedKind
    version: ImageVersion
    hardware: int | None
    security_counter: int | None
    is_delta: bool
    payload: bytes = dataclasses.field(repr=False)
    notices: tuple[str, ...] = ()

    def require_target(self, hw_version: int, *, allow_any: bool = False) -> None:
        """Refuse an image for other hardware.

        Args:
            hw_version: The device's, 32 bits, as in DevVersionAns.
            allow_any: Take an image that does not say for which hardware it is.

        Raises:
            TargetError: It is for another one, or does not say.
        """
        if self.hardware is None:
            if not allow_any:
                raise TargetError("image", "it does not say for which hardware it is")
        elif self.hardware != hw_version:
            reason = f"it is for hardware 0x{self.hardware:08x}, this is 0x{hw_version:08x}"
            raise TargetError("image", reason)


def inspect(block: BytesLike) -> SignedImage:
    """Read a block without believing it.

    Raises:
        TruncatedError: It ends too early.
        DecodeError: It is neither an MCUboot image nor a detached signature with its image.
    """
    block = bytes(block)
    if _kind(block) is SignedKind.MCUBOOT:
        return _of_mcuboot(mcuboot.parse(block))
    image, detached = raw.split(block)
    return _of_raw(raw.parse(detached), image)


def verify(block: BytesLike, key: VerifyKey) -> SignedImage:
    """Read a block and prove that the owner of *key* signed it.

    Raises:
        TruncatedError, DecodeError: As :func:`inspect`.
        IntegrityError: It was changed, or another key signed it.
    """
    block = bytes(block)
    if _kind(block) is SignedKind.MCUBOOT:
        return _of_mcuboot(mcuboot.verify(block, key))
    image, detached = raw.split(block)
    return _of_raw(raw.verify(image, detached, key), image)


def _kind(block: bytes) -> SignedKind:
    if block[:4] == mcuboot.MAGIC:
        return SignedKind.MCUBOOT
    if block[:4] == raw.MAGIC:
        return SignedKind.RAW
    raise DecodeError("image", 0, "neither an MCUboot image nor a detached signature with one")


def _of_mcuboot(image: mcuboot.McubootImage) -> SignedImage:
    return SignedImage(
        SignedKind.MCUBOOT,
        image.version,
        image.hardware,
        image.security_counter,
        image.is_delta,
        image.program,
        image.notices,
    )


def _of_raw(signature: raw.RawSignature, image: bytes) -> SignedImage:
    return SignedImage(
        SignedKind.RAW, signature.version, signature.hardware, None, signature.is_delta, image
    )
