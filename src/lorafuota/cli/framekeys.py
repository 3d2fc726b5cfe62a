"""Keys for captured frames, a file for each group or device; errors that never repeat one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..dissect.addresskeys import AddressKeys
from ..dissect.joins import RootKeys
from ..dissect.keyring import FrameKeys, Keyring
from ..dissect.lorawan11 import SessionKeys
from ..errors import FieldError
from ..types import (
    AppKey,
    AppSKey,
    DevAddr,
    DevEUI,
    FNwkSIntKey,
    McAppSKey,
    McKey,
    McNwkSKey,
    NwkKey,
    NwkSEncKey,
    NwkSKey,
    SNwkSIntKey,
)
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
    "FNwkSIntKey",
    "SNwkSIntKey",
    "NwkSEncKey",
    "DevEUI",
    "AppKey",
    "NwkKey",
    "JoinEUI",
)
"""What a file of keys may hold."""

_OF_1_1: Final = ("FNwkSIntKey", "SNwkSIntKey", "NwkSEncKey")


def keyring(paths: Sequence[str]) -> Keyring:
    """Read the files of --keys.

    Raises:
        InputError: One cannot be read, or lacks something.
    """
    keys: list[FrameKeys] = []
    roots: list[RootKeys] = []
    for path in paths:
        given = {name: (text, where) for name, text, where in pairs_from_file(path, NAMES)}
        root = "AppKey" in given or "NwkKey" in given
        if ["McAddr" in given, "DevAddr" in given or root].count(True) != 1:
            raise InputError(
                "a file of keys has either McAddr, for a group, or DevAddr, for a device, or "
                "AppKey and DevEUI, for a device from its join on"
            )
        if root:
            roots.append(_root(given))
        if "McAddr" in given or "DevAddr" in given:
            keys.append(_keys(given))
    return Keyring(keys, roots)


def _root(given: Mapping[str, tuple[str, str]]) -> RootKeys:
    if "DevEUI" not in given:
        raise InputError("the file of keys has no DevEUI: AppKey needs it")
    newer = "NwkKey" in given
    return RootKeys(
        dev_eui=DevEUI.from_hex(_digits(given, "DevEUI", 16)),
        app_key=AppKey(_octets(given, "AppKey", "NwkKey and AppKey, of LoRaWAN 1.1")),
        nwk_key=NwkKey(_octets(given, "NwkKey", "")) if newer else None,
        join_eui=DevEUI.from_hex(_digits(given, "JoinEUI", 16)) if "JoinEUI" in given else None,
    )


def _keys(given: Mapping[str, tuple[str, str]]) -> FrameKeys:
    if "DevAddr" in given:
        return _device(given)
    mc_addr = DevAddr.from_hex(_digits(given, "McAddr", 8))
    if "McKey" in given:
        return AddressKeys.from_mc_key(McKey(_octets(given, "McKey", _MC)), mc_addr)
    return AddressKeys(
        address=mc_addr,
        mic_key=McNwkSKey(_octets(given, "McNwkSKey", _MC)),
        payload_key=McAppSKey(_octets(given, "McAppSKey", _MC)),
    )


def _device(given: Mapping[str, tuple[str, str]]) -> FrameKeys:
    address = DevAddr.from_hex(_digits(given, "DevAddr", 8))
    dev_eui = DevEUI.from_hex(_digits(given, "DevEUI", 16)) if "DevEUI" in given else None
    newer = any(name in given for name in _OF_1_1)
    if newer and "NwkSKey" in given:
        both = f"NwkSKey, of LoRaWAN 1.0.x, or {', '.join(_OF_1_1)}, of 1.1"
        raise InputError(f"a file of keys has either {both}")
    if newer:
        return SessionKeys(
            address=address,
            f_nwk_s_int_key=FNwkSIntKey(_octets(given, "FNwkSIntKey", _SESSION_1_1)),
            s_nwk_s_int_key=SNwkSIntKey(_octets(given, "SNwkSIntKey", _SESSION_1_1)),
            nwk_s_enc_key=NwkSEncKey(_octets(given, "NwkSEncKey", _SESSION_1_1)),
            app_s_key=AppSKey(_octets(given, "AppSKey", _SESSION_1_1)),
            dev_eui=dev_eui,
        )
    return AddressKeys(
        address=address,
        mic_key=NwkSKey(_octets(given, "NwkSKey", _SESSION)),
        payload_key=AppSKey(_octets(given, "AppSKey", _SESSION)),
        dev_eui=dev_eui,
    )


_MC: Final = "McKey, or McNwkSKey and McAppSKey"
_SESSION: Final = "NwkSKey and AppSKey (LoRaWAN 1.0.x), or the four session keys of LoRaWAN 1.1"
_SESSION_1_1: Final = "FNwkSIntKey, SNwkSIntKey, NwkSEncKey and AppSKey"


def _octets(given: Mapping[str, tuple[str, str]], name: str, needs: str) -> bytes:
    if name not in given:
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
