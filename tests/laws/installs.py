"""Nothing is installed but what passes signature, target and version checks (promise S8).

Each attempt is one block for one device, by a seed: an MCUboot image or one behind a detached
signature, whole or a delta, signed in any of the schemes, with none, one or several faults.  The
device stores it, checks it, tells its state (TS006), is told to reboot, and its boot loader looks
at the slot, into which somebody may have written meanwhile.  What is at fault is not installed and
the old firmware goes on; the first check that fails, in the order of the document, is the one that
is told; and what has no fault is installed, or nothing would be shown.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import random
from collections import Counter
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from lorafuota.errors import DecodeError, IntegrityError, RefusedError
from lorafuota.firmwaremanagement.v1 import (
    DevRebootCountdownReq,
    DevRebootTimeReq,
    DevUpgradeImageAns,
    DevUpgradeImageReq,
    DevVersionAns,
    DevVersionReq,
    UpImageStatus,
)
from lorafuota.gpstime import to_wire
from lorafuota.image import mcuboot, raw
from lorafuota.image.delta import DeltaUpdate, create_delta
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.install import Check, ImageGate, Verdict
from lorafuota.image.keys import Scheme, SigningKey
from lorafuota.image.version import ImageVersion
from lorafuota.session.actions import Answer, Reboot
from lorafuota.session.firmware import FirmwareDevice
from lorafuota.wire import Command
from tests.unit.image.support import SampleCodec

NOW: Final = 1_400_000_000.0
HARDWARE: Final = 0x0107_0002
CORRUPT, OTHER_HARDWARE, DROPPED = (
    UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE,
    UpImageStatus.WRONG_HARDWARE,
    UpImageStatus.NO_IMAGE,
)


class Installed(AssertionError):
    """Something was installed, refused or told that should not have been."""


class Fault(enum.Enum):
    """What is wrong with a block, in the order of the checks that find it."""

    SIGNER = "wrong signer", Check.SIGNATURE, CORRUPT
    CHANGED = "changed before the check", Check.SIGNATURE, CORRUPT
    TRUNCATED = "truncated", Check.SIGNATURE, CORRUPT
    LONGER = "longer than announced", Check.SIGNATURE, CORRUPT
    DEVICE_TYPE = "wrong device type", Check.TARGET, OTHER_HARDWARE
    NO_DEVICE_TYPE = "no device type", Check.TARGET, OTHER_HARDWARE
    OLD_VERSION = "old version", Check.VERSION, DROPPED
    SAME_VERSION = "same version", Check.VERSION, DROPPED
    BASE = "delta from another base", Check.DELTA, CORRUPT
    PATCH = "damaged patch", Check.DELTA, CORRUPT
    RESULT_LONGER = "result longer than announced", Check.DELTA, CORRUPT
    RESULT_SIGNER = "result of another signer", Check.RESULT, CORRUPT
    RESULT_TYPE = "result for another device type", Check.RESULT, OTHER_HARDWARE
    RESULT_VERSION = "result of another version", Check.RESULT, CORRUPT

    def __init__(self, text: str, check: Check, status: UpImageStatus) -> None:
        self.text, self.check, self.status = text, check, status


_ONLY_DELTAS: Final = (Check.DELTA, Check.RESULT)
_ONE_OF: Final = (
    {Fault.DEVICE_TYPE, Fault.NO_DEVICE_TYPE},
    {Fault.OLD_VERSION, Fault.SAME_VERSION},
    {Fault.TRUNCATED, Fault.LONGER},
    {one for one in Fault if one.check in _ONLY_DELTAS},
)
"""Faults of which a block can have one at most."""


class Tampering(enum.Enum):
    """What happens to the slot between the check and the boot loader."""

    CHANGED = "changed after the check"
    TRUNCATED = "truncated after the check"
    LONGER = "made longer after the check"
    OLDER = "replaced by an older release"
    STRANGER = "replaced by another signer's image"
    DELTA = "replaced by a delta"
    ERASED = "erased after the check"


@functools.cache
def signers(scheme: Scheme) -> tuple[SigningKey, SigningKey]:
    """The maker's key and a stranger's, the same in every run."""
    if scheme is Scheme.ECDSA_P256:
        maker, stranger = (ec.derive_private_key(n, ec.SECP256R1()) for n in (11, 12))
        return SigningKey(maker, scheme), SigningKey(stranger, scheme)
    one, other = (ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (1, 2))
    return SigningKey(one, scheme), SigningKey(other, scheme)


@dataclasses.dataclass
class Attempt:
    """One block and the device it is for."""

    rng: random.Random
    scheme: Scheme
    behind_signature: bool
    is_delta: bool
    faults: frozenset[Fault]

    @classmethod
    def of(cls, seed: int) -> Attempt:
        """Draw it."""
        rng = random.Random(f"install {seed}")
        is_delta = rng.random() < 0.5
        possible = [one for one in Fault if is_delta or one.check not in _ONLY_DELTAS]
        faults = frozenset(rng.sample(possible, rng.choice((0, 1, 1, 1, 2, 3))))
        for group in _ONE_OF:
            some = sorted(faults & group, key=list(Fault).index)
            faults -= set(some[1:])
        return cls(rng, rng.choice(list(Scheme)), rng.random() < 0.5, is_delta, faults)

    def __post_init__(self) -> None:
        """Choose versions, and what runs."""
        rng = self.rng
        self.running = ImageVersion(rng.randrange(1, 9), rng.randrange(1, 9), rng.randrange(1, 999))
        self.newer = dataclasses.replace(
            self.running, minor=self.running.minor + rng.randrange(1, 9), build=rng.randrange(99)
        )
        self.older = dataclasses.replace(self.running, revision=self.running.revision - 1)
        self.base = self.signed(rng.randbytes(rng.randrange(1, 300)), version=self.running)
        self.gate = ImageGate(
            key=signers(self.scheme)[0].public,
            hw_version=HARDWARE,
            running=self.running,
            base=self.base,
            codecs=(DetoolsCodec(),),
        )

    def signed(
        self,
        program: bytes,
        *,
        version: ImageVersion,
        hardware: int | None = HARDWARE,
        stranger: bool = False,
        is_delta: bool = False,
    ) -> bytes:
        """Sign a program, or a delta."""
        key = signers(self.scheme)[stranger]
        if self.behind_signature:
            head = raw.sign(program, key=key, version=version, hardware=hardware, is_delta=is_delta)
            return raw.join(program, head)
        return mcuboot.sign(
            program, key=key, version=version, hardware=hardware, header_size=32, is_delta=is_delta
        )

    def release(self) -> tuple[bytes, bytes]:
        """Return the block that arrives, with its faults, and the image that it would install."""
        faults = self.faults
        version = self.newer
        if Fault.OLD_VERSION in faults:
            version = self.older
        elif Fault.SAME_VERSION in faults:
            version = dataclasses.replace(self.running, build=self.rng.randrange(99))
        hardware: int | None = HARDWARE
        if Fault.DEVICE_TYPE in faults:
            hardware = HARDWARE ^ 1 << self.rng.randrange(32)
        elif Fault.NO_DEVICE_TYPE in faults:
            hardware = None
        program = self.rng.randbytes(self.rng.randrange(1, 400))
        result = self.signed(
            program,
            version=dataclasses.replace(version, major=99)
            if Fault.RESULT_VERSION in faults
            else version,
            hardware=HARDWARE + 1 if Fault.RESULT_TYPE in faults else hardware,
            stranger=bool(faults & {Fault.SIGNER, Fault.RESULT_SIGNER}),
        )
        if not self.is_delta:
            return self.damaged(result), result
        delta = self.signed(
            self.update(result).encode(),
            version=version,
            hardware=hardware,
            stranger=Fault.SIGNER in faults,
            is_delta=True,
        )
        return self.damaged(delta), result

    def update(self, result: bytes) -> DeltaUpdate:
        """Make the delta to *result*."""
        base = self.base + b"x" if Fault.BASE in self.faults else self.base
        update = create_delta(base, result, SampleCodec())
        if Fault.PATCH in self.faults:
            patch = bytearray(update.patch)
            within = patch.index(result)  # a bit elsewhere may mean nothing
            patch[self.rng.randrange(within, within + len(result))] ^= 1 << self.rng.randrange(8)
            return dataclasses.replace(update, patch=bytes(patch))
        if Fault.RESULT_LONGER in self.faults:
            return dataclasses.replace(update, size=update.size - self.rng.randrange(1, 20))
        return update

    def damaged(self, block: bytes) -> bytes:
        """Return a block as it lies in the store."""
        if Fault.CHANGED in self.faults:
            octets = bytearray(block)
            octets[self.rng.randrange(len(octets))] ^= 1 << self.rng.randrange(8)
            block = bytes(octets)
        if Fault.TRUNCATED in self.faults:
            block = block[: self.rng.randrange(len(block))]
        if Fault.LONGER in self.faults:
            block += self.rng.randbytes(self.rng.randrange(1, 65))
        return block

    def tampered(self, how: Tampering, slot: bytes) -> bytes:
        """Return what the boot loader finds."""
        rng = self.rng
        match how:
            case Tampering.CHANGED:
                octets = bytearray(slot)
                octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
                return bytes(octets)
            case Tampering.TRUNCATED:
                return slot[: rng.randrange(len(slot))]
            case Tampering.LONGER:
                return slot + rng.randbytes(rng.randrange(1, 65))
            case Tampering.OLDER:
                return self.signed(b"an older release", version=self.older)
            case Tampering.STRANGER:
                return self.signed(b"ours", version=self.newer, stranger=True)
            case Tampering.DELTA:
                update = create_delta(self.base, slot, SampleCodec()).encode()
                return self.signed(update, version=self.newer, is_delta=True)
            case Tampering.ERASED:
                return b"\xff" * len(slot)


class Target:
    """A device: the session, the gate, the slot, and what runs."""

    def __init__(self, attempt: Attempt) -> None:
        self.gate, self.runs = attempt.gate, attempt.base
        self.session = FirmwareDevice(
            fw_version=attempt.running.fw_version, hw_version=attempt.gate.hw_version
        )
        self.slot = b""

    def ask(self, command: Command) -> Command:
        """Ask it something that it answers."""
        results = self.session.execute(command, now=NOW)
        [answer] = [one.command for one in results if isinstance(one, Answer)]
        return answer

    def store(self, block: bytes) -> Verdict:
        """Let it have a block."""
        verdict = self.gate.check(block)
        self.slot = b"" if verdict.image is None else verdict.image
        self.session.store_image(verdict.status, version=verdict.fw_version)
        return verdict

    def reboot(self, *, at_time: bool) -> bool:
        """Tell it to reboot, after a delay or at a time; return whether something is installed."""
        request: Command = DevRebootCountdownReq(countdown=60)
        if at_time:
            request = DevRebootTimeReq(reboot_time=to_wire(NOW + 60))
        self.ask(request)
        [*_, action] = self.session.tick(now=NOW + 60)
        assert isinstance(action, Reboot)
        running = self.session.fw_version
        installed = False
        if action.image_version is not None:
            try:
                self.runs = self.gate.install(self.slot)
                running, installed = action.image_version, True
            except (DecodeError, IntegrityError, RefusedError):
                pass  # the boot loader leaves the old firmware
        self.session.booted(running)
        return installed


def attempt(seed: int, found: Counter[str]) -> None:
    """Make one attempt.

    Raises:
        Installed: It does not end as it must.
    """
    one = Attempt.of(seed)
    block, image = one.release()
    target = Target(one)
    verdict = target.store(block)
    first = min(one.faults, key=list(Fault).index, default=None)
    told = target.ask(DevUpgradeImageReq())
    names = sorted(fault.text for fault in one.faults)
    if first is not None:
        refusal = DevUpgradeImageAns(up_image_status=first.status, next_firmware_version=None)
        expected = first.check, first.status, refusal
        if (verdict.failed, verdict.status, told) != expected:
            raise Installed(f"seed {seed}, {names}: {verdict.failed}, {told}")
        how, sound = first.text, False
    else:
        tampering = None if one.rng.random() < 0.5 else one.rng.choice(list(Tampering))
        if verdict.image != image:
            raise Installed(f"seed {seed}: a sound block is refused: {verdict.reason}")
        how, sound = "sound" if tampering is None else tampering.value, tampering is None
        if tampering is not None:
            target.slot = one.tampered(tampering, target.slot)
    if target.reboot(at_time=bool(seed % 2)) is not sound:
        raise Installed(f"seed {seed}, {names}, {how}: installed, or not")
    runs = target.ask(DevVersionReq())
    version = one.newer if sound else one.running
    expected_version = DevVersionAns(fw_version=version.fw_version, hw_version=HARDWARE)
    if target.runs != (image if sound else one.base) or runs != expected_version:
        raise Installed(f"seed {seed}, {names}, {how}: {runs}")
    found[how] += 1


def attempts(count: int) -> Counter[str]:
    """Make attempts; return how many there were of each kind.

    Raises:
        Installed: One of them does not end as it must.
    """
    found: Counter[str] = Counter()
    for seed in range(count):
        attempt(seed, found)
    return found
