"""Payloads that make no sense from their first octet on: still encrypted, most likely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ..case import Case
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..transfer import Transfer
from ..words import count

__all__ = ["look"]

_SEVERAL: Final = 3


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Count the payloads of each device that cannot be read at all, in either version."""
    for device in case.devices.values():
        bad = [one for one in device.unread if one.what.rest.offset == 0]
        read = len({one.at for one in (*device.down, *device.up)})
        if len(bad) < _SEVERAL or len(bad) <= read:
            continue
        example = bad[0].what
        text = (
            f"{count(len(bad), 'payload')} cannot be read from the first octet on, {read} can; on "
            f"port {example.fport} for instance {example.payload[:8].hex(' ')}"
        )
        says = (
            "the payloads are no commands: still encrypted, decrypted with another AppSKey, or of "
            "another package than the port's"
        )
        evidence = (Evidence(Weight.STRONG, text, tuple(one.at for one in bad[:8])),)
        yield Finding(Symptom.NOT_IN_CLEAR, says, evidence, device.dev_eui)
