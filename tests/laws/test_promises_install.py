"""Promise S8: install only after signature, target and version checks, in that order.

The everyday numbers; ``python -m tests.fuzz.promises`` runs the long ones, and ``LORAFUOTA_LONG=1``
something between.  Each law is shown to notice what it is there for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lorafuota.errors import DecodeError, IntegrityError, RollbackError, TargetError
from lorafuota.firmwaremanagement.v1 import UpImageStatus
from lorafuota.image import install
from lorafuota.image.install import Check, ImageGate
from lorafuota.image.signature import SignedImage, inspect, verify
from tests.laws import installs
from tests.laws.installs import Fault, Installed, Tampering
from tests.support import LONG


def test_s8_nothing_is_installed_but_what_passes_every_check() -> None:
    found = installs.attempts(10_000 if LONG else 1_000)
    kinds = {one.text for one in Fault} | {one.value for one in Tampering} | {"sound"}
    assert found.keys() == kinds


def _no_version_check(self: ImageGate, found: SignedImage) -> None:
    """Install whatever version."""


def _any_hardware(self: SignedImage, hw_version: int, *, allow_any: bool = False) -> None:
    """Install on whatever device."""


def _no_second_look(self: ImageGate, slot: bytes) -> bytes:
    """Start what the check said was good once."""
    return bytes(slot)


def _any_signer(block: bytes, key: Any) -> SignedImage:
    """Read a block, and believe it."""
    return inspect(block)


def _target_last(self: ImageGate, block: bytes) -> SignedImage:
    """Make the checks in another order."""
    try:
        found = verify(block, self.key)
    except (DecodeError, IntegrityError) as error:
        raise install._FailedError(Check.SIGNATURE, error, install._BAD) from None
    try:
        self._require_version(found)
    except RollbackError as error:
        raise install._FailedError(Check.VERSION, error, UpImageStatus.NO_IMAGE) from None
    try:
        found.require_target(self.hw_version)
    except TargetError as error:
        raise install._FailedError(Check.TARGET, error, UpImageStatus.WRONG_HARDWARE) from None
    return found


@pytest.mark.parametrize(
    ("owner", "name", "instead"),
    [
        (ImageGate, "_require_version", _no_version_check),
        (SignedImage, "require_target", _any_hardware),
        (ImageGate, "install", _no_second_look),
        (install, "verify", _any_signer),
        (ImageGate, "_check_image", _target_last),
    ],
    ids=["version", "target", "second look", "signer", "order"],
)
def test_s8_a_gate_that_leaves_a_check_out_or_changes_their_order_is_noticed(
    owner: object, name: str, instead: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises(Installed, match="seed"):
        installs.attempts(500)
