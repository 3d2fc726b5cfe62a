"""Keys for captured frames, a file for each group or device; errors that never repeat one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..dissect.keyring import AddressKeys, Keyring
from ..errors import FieldError
from ..types import AppSKey, DevAddr, DevEUI, McAppSKey, McKey, McNwkSKey, NwkSKey
from .arguments import InputError
from .keyinput import key_octets, pairs_from_file

__all__ = ["NAMES", "keyring"]

NAMES: Final = (
    "McAddr",
    "McKey",
    "McAppSKey",
    "McNwkSKey",
    "DevAddr",
    "NwkSKey",
    "AppSKey",
    "DevEUI",
)
"""What a file of keys may hold."""


def keyring(paths: Sequence[str]) -> Keyring:
    """Read the files of --keys.

    Raises:
        InputError: One cannot be read, or lacks something.
    """
    return Keyring(
        _keys({name: (text, where) for name, text, where in pairs_from_file(path, NAMES)})
        for path in paths
    )


def _keys(given: Mapping[str, tuple[str, str]]) -> AddressKeys:
    if ("McAddr" in given) == ("DevAddr" in given):
        raise InputError("a file of keys has either McAddr, for a group, or DevAddr, for a device")
    if "DevAddr" in given:
        return AddressKeys(
            address=DevAddr.from_hex(_digits(given, "DevAddr", 8)),
            mic_key=NwkSKey(_octets(given, "NwkSKey")),
            payload_key=AppSKey(_octets(given, "AppSKey")),
            dev_eui=DevEUI.from_hex(_digits(given, "DevEUI", 16)) if "DevEUI" in given else None,
        )
    mc_addr = DevAddr.from_hex(_digits(given, "McAddr", 8))
    if "McKey" in given:
        return AddressKeys.from_mc_key(McKey(_octets(given, "McKey")), mc_addr)
    return AddressKeys(
        address=mc_addr,
        mic_key=McNwkSKey(_octets(given, "McNwkSKey")),
        payload_key=McAppSKey(_octets(given, "McAppSKey")),
    )


def _octets(given: Mapping[str, tuple[str, str]], name: str) -> bytes:
    if name not in given:
        needs = "NwkSKey and AppSKey" if "DevAddr" in given else "McKey, or McNwkSKey and McAppSKey"
        raise InputError(f"the file of keys has no {name}: it needs {needs}")
    text, where = given[name]
    return key_octets(text, name, where)


def _digits(given: Mapping[str, tuple[str, str]], name: str, size: int) -> str:
    text, where = given[name]
    text = text.strip()
    try:
        DevAddr.from_hex(text) if size == 8 else DevEUI.from_hex(text)
    except FieldError:
        reason = f"{name} has {len(text)} characters: expected {size} hex digits"
        raise InputError(f"{where}: {reason}") from None
    return text
