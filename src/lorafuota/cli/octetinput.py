"""Octets as people have them: hex of any punctuation, base64, arguments or standard input."""

from __future__ import annotations

import base64
import re
import string
import sys
from collections.abc import Sequence
from typing import Final

from .arguments import InputError
from .strayed import repeated

__all__ = ["from_base64", "from_hex", "octets_of"]

_MAX_TEXT: Final = 1 << 16


def octets_of(words: Sequence[str], *, as_base64: bool) -> bytes:
    """Return the octets of arguments, or of all of standard input for a lone ``-``.

    Raises:
        InputError: There are none, or they are not what they should be.
    """
    text = _standard_input() if list(words) == ["-"] else " ".join(words)
    octets = from_base64(text) if as_base64 else from_hex(text)
    if not octets:
        raise InputError("there are no octets to dissect")
    return octets


def _standard_input() -> str:
    if sys.stdin is None:
        raise InputError("there is no standard input")
    octets = sys.stdin.buffer.read(_MAX_TEXT + 1)
    if len(octets) > _MAX_TEXT:
        raise InputError(f"standard input holds more than {_MAX_TEXT} characters")
    return octets.decode("utf-8", "backslashreplace")


def from_hex(text: str) -> bytes:
    """Read hex with spaces, commas, colons, semicolons and 0x between octets.

    Raises:
        InputError: It is something else.
    """
    octets = bytearray()
    for word in re.split(r"[\s,:;]+", text):
        digits = word[2:] if word[:2] in ("0x", "0X") else word
        for char in digits:
            if char not in string.hexdigits:
                raise InputError(f"the octets hold {char!r}, which is no hex digit")
        if len(digits) % 2:
            reason = "has an odd number of hex digits: an octet has two"
            raise InputError(f"{repeated(digits)} {reason}")
        octets += bytes.fromhex(digits)
    return bytes(octets)


def from_base64(text: str) -> bytes:
    """Read base64 with any white space.

    Raises:
        InputError: It is something else.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise InputError("the octets are not base64") from None
