"""The device's gate: signature, target, version, in that order, on the octets to be installed.

    stored --check--> Verdict            what DevUpgradeImageAns reports (TS006)
    slot   --install--> octets to run    all checks again, on the octets just read

A delta is checked like an image, then applied to what runs, and what comes out has to pass as an
image of its own before it counts.  The verdict holds it; the owner writes it to the slot.

=========================  ===============================  ==================================
what is found              UpImageStatus                    what the campaign makes of it
=========================  ===============================  ==================================
wrong signer, changed,     1, corrupted or signature wrong  BAD_IMAGE
truncated, too long
other hardware, or none    2, not for this hardware         WRONG_HARDWARE
wrong base, broken delta   1: what would be installed       BAD_IMAGE
                           cannot be had
not newer                  0: the device drops it           BAD_IMAGE, "no image is stored"
all good                   3, and the version               IMAGE_VALID, then CONFIRMED
=========================  ===============================  ==================================
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Final, final

from ..errors import (
    BaseImageError,
    DecodeError,
    FuotaError,
    IntegrityError,
    RollbackError,
    TargetError,
    require_int,
)
from ..firmwaremanagement.v1 import UpImageStatus
from ..types import BytesLike
from .delta import DeltaCodec, DeltaLimits, DeltaUpdate, apply_delta
from .keys import VerifyKey
from .signature import SignedImage, verify
from .version import ImageVersion, require_newer

__all__ = ["Check", "ImageGate", "Verdict"]

_BAD: Final = UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE


@final
class Check(enum.Enum):
    """The checks, in their order."""

    SIGNATURE = "signature"
    TARGET = "target"
    VERSION = "version"
    DELTA = "delta"
    RESULT = "result"
    """The image that a delta gives, and that has to pass the first three itself."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found.

    Attributes:
        status: For :meth:`lorafuota.session.firmware.FirmwareDevice.store_image`.
        version: What runs after installation; None unless the image is valid.
        image: The octets for the slot; of a delta, what it gives.  None unless valid.
        failed: The first check that failed.
        reason: ... and why, in words.
        notices: What the image asks for and nobody checks.
    """

    status: UpImageStatus
    version: ImageVersion | None = None
    image: bytes | None = dataclasses.field(default=None, repr=False)
    failed: Check | None = None
    reason: str = ""
    notices: tuple[str, ...] = ()

    @property
    def fw_version(self) -> int | None:
        """The version in the 32 bits of TS006; None unless the image is valid."""
        return None if self.version is None else self.version.fw_version


class _FailedError(Exception):
    """A check failed: which, the error it raised, the status.  Never leaves this module."""

    def __init__(self, check: Check, error: FuotaError, status: UpImageStatus) -> None:
        super().__init__(check, error, status)
        self.check, self.error, self.status = check, error, status


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageGate:
    """What a device knows about itself, and what it lets in.

    Attributes:
        key: The maker's; decides the algorithm.
        hw_version: The device's hardware, 32 bits, as in DevVersionAns.
        running: Version that runs.
        base: The octets of the running slot, for deltas; None refuses every delta.
        security_counter: The least that an image must have; 0 asks for none.
        compare_build: Let build numbers decide, for a boot loader that does.
        allow_older: Install older and equal versions too.
        allow_any_hardware: Install images that do not say for which hardware they are.
        codecs: For deltas.
        limits: What the device has room for.
    """

    key: VerifyKey
    hw_version: int
    running: ImageVersion
    base: bytes | None = dataclasses.field(default=None, repr=False)
    security_counter: int = 0
    compare_build: bool = False
    allow_older: bool = False
    allow_any_hardware: bool = False
    codecs: Sequence[DeltaCodec] = ()
    limits: DeltaLimits = dataclasses.field(default_factory=DeltaLimits)

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is not 32 bits.
        """
        require_int("ImageGate", "hw_version", self.hw_version, 0, 0xFFFFFFFF)
        require_int("ImageGate", "security_counter", self.security_counter, 0, 0xFFFFFFFF)

    def check(self, stored: BytesLike) -> Verdict:
        """Check what was downloaded.  Whatever it is, this raises nothing.

        Args:
            stored: What the store holds now: an image or a delta, signed, and nothing else.
        """
        try:
            found, image = self._admit(bytes(stored))
        except _FailedError as failed:
            return Verdict(failed.status, failed=failed.check, reason=str(failed.error))
        return Verdict(UpImageStatus.VALID, found.version, image, notices=found.notices)

    def install(self, slot: BytesLike) -> bytes:
        """Check the slot once more, as the boot loader does, and return the octets to run.

        They are the octets that were checked, copied before: a slot that changes afterwards does
        not change them.

        Args:
            slot: What it holds now: :attr:`Verdict.image`, if nothing happened to it.

        Raises:
            TruncatedError, DecodeError: It is no image, or longer than it says.
            IntegrityError: It was changed, or another key signed it, or it is a delta.
            TargetError: It is for other hardware.
            RollbackError: It is not newer than what runs.
        """
        try:
            found, image = self._admit(bytes(slot), delta=False)
        except _FailedError as failed:
            raise failed.error from None
        del found
        return image

    def _admit(self, block: bytes, *, delta: bool = True) -> tuple[SignedImage, bytes]:
        """Return what the block says and the image it leads to, or raise the check that failed."""
        found = self._check_image(block)
        if not found.is_delta:
            return found, block
        if not delta:
            raise _FailedError(
                Check.SIGNATURE, IntegrityError("slot", "a delta does not run"), _BAD
            )
        try:
            image = self._rebuild(found)
        except (DecodeError, IntegrityError, BaseImageError) as error:
            raise _FailedError(Check.DELTA, error, _BAD) from None
        try:
            result = self._check_image(image)
        except _FailedError as failed:
            raise _FailedError(Check.RESULT, failed.error, failed.status) from None
        if result.is_delta or result.version != found.version:
            other = IntegrityError("delta", f"it gives version {result.version}, or a delta again")
            raise _FailedError(Check.RESULT, other, _BAD)
        return result, image

    def _check_image(self, block: bytes) -> SignedImage:
        try:
            found = verify(block, self.key)
        except (DecodeError, IntegrityError) as error:
            raise _FailedError(Check.SIGNATURE, error, _BAD) from None
        try:
            found.require_target(self.hw_version, allow_any=self.allow_any_hardware)
        except TargetError as error:
            raise _FailedError(Check.TARGET, error, UpImageStatus.WRONG_HARDWARE) from None
        try:
            self._require_version(found)
        except RollbackError as error:
            raise _FailedError(Check.VERSION, error, UpImageStatus.NO_IMAGE) from None
        return found

    def _require_version(self, found: SignedImage) -> None:
        # of a delta the counter is its result's, which comes here too
        counter = found.security_counter or 0
        if not found.is_delta and counter < self.security_counter:
            reason = f"security counter {counter}, and {self.security_counter} is asked for"
            raise RollbackError("image", reason)
        if not self.allow_older:
            require_newer(found.version, self.running, build=self.compare_build)

    def _rebuild(self, found: SignedImage) -> bytes:
        update = DeltaUpdate.decode(found.payload)
        if self.base is None:
            raise BaseImageError("delta", "this device has no base for it")
        codecs = {codec.code: codec for codec in self.codecs}
        return apply_delta(self.base, update, codecs, self.limits)
