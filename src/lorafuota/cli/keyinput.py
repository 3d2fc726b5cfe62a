"""Keys from a file, the environment or a prompt; errors that never repeat one."""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from ..errors import FieldError
from ..types import (
    AppKey,
    DataBlockIntKey,
    DevAddr,
    GenAppKey,
    Key,
    LorawanVersion,
    McAppSKey,
    McKEKey,
    McKey,
    McNwkSKey,
    McRootKey,
)
from .arguments import InputError

__all__ = [
    "ENCRYPTED",
    "KEY_CLASSES",
    "MC_ADDR",
    "Given",
    "gather",
    "key_name",
    "key_octets",
    "key_of",
    "lorawan_version",
    "pairs_from_file",
    "plain",
    "root_key",
    "with_one_root",
]

KEY_CLASSES: Final[tuple[type[Key], ...]] = (
    GenAppKey,
    AppKey,
    McRootKey,
    McKEKey,
    McKey,
    McAppSKey,
    McNwkSKey,
    DataBlockIntKey,
)
MC_ADDR: Final = "McAddr"
ENCRYPTED: Final = "McKey_encrypted"
NAMES: Final = (*(cls.__name__ for cls in KEY_CLASSES), ENCRYPTED, MC_ADDR)
_VARIABLES: Final = {f"LORAFUOTA_{name.upper()}": name for name in NAMES}
_MAX_FILE: Final = 1 << 16


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """Everything that came in, by class; ``repr`` shows no key because keys show none."""

    keys: Mapping[type[Key], Key]
    mc_addr: DevAddr | None = None
    mc_key_encrypted: bytes | None = None


_K = TypeVar("_K", bound=Key)


def key_of(keys: Mapping[type[Key], Key], cls: type[_K]) -> _K | None:
    """Return the key of that class, if there is one."""
    found = keys.get(cls)
    return found if isinstance(found, cls) else None


def root_key(path: str) -> GenAppKey | AppKey:
    """Return the one root key in a file of keys, - for standard input.

    Raises:
        InputError: There is none, or two, or it cannot be read.
    """
    given = gather(path, None, {})
    found = key_of(given.keys, GenAppKey) or key_of(given.keys, AppKey)
    if GenAppKey in given.keys and AppKey in given.keys:
        raise InputError(
            "the file of keys holds both GenAppKey and AppKey: leave the one the device derives "
            "from, GenAppKey for LoRaWAN 1.0.x or AppKey for 1.1"
        )
    if found is None:
        raise InputError("the file of keys holds neither GenAppKey nor AppKey")
    return found


def gather(path: str | None, version: LorawanVersion | None, extra: Mapping[str, str]) -> Given:
    """Gather keys from the file, or else the environment, or else a prompt.

    Args:
        path: The argument of --keys or --root-key-file, if any.
        version: Link layer, if known; decides which root key a prompt asks for.
        extra: What options gave, as text by name: McAddr, McKey_encrypted.

    Raises:
        InputError: There are none, or one cannot be read.
    """
    environment = [(name, os.environ.get(var), var) for var, name in _VARIABLES.items()]
    texts: Iterable[tuple[str, str, str]]
    if path is not None:
        texts = pairs_from_file(path, NAMES)
    elif any(value is not None for _, value, _ in environment):
        texts = [(name, value, var) for name, value, var in environment if value is not None]
    elif sys.stdin is not None and sys.stdin.isatty():
        texts = _from_prompt(version, extra)
    else:
        raise InputError(
            "there are no keys: give --keys FILE, set LORAFUOTA_GENAPPKEY and the like, "
            "or run it on a terminal"
        )
    keys: dict[type[Key], Key] = {}
    mc_addr: DevAddr | None = None
    encrypted: bytes | None = None
    options = [(name, text, f"--{_option(name)}") for name, text in extra.items()]
    for name, text, where in [*texts, *options]:
        if name == MC_ADDR:
            mc_addr = _address(text, where)
        elif name == ENCRYPTED:
            encrypted = key_octets(text, name, where)
        else:
            cls = next(cls for cls in KEY_CLASSES if cls.__name__ == name)
            keys[cls] = cls(key_octets(text, name, where))
    return Given(keys, mc_addr, encrypted)


def _option(name: str) -> str:
    return {MC_ADDR: "mc-addr", ENCRYPTED: "mc-key-encrypted"}[name]


def pairs_from_file(path: str, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return what a file of keys holds: name, text and where it stands, for each.

    Args:
        path: The file; ``-`` is standard input.
        names: What may be in it.

    Raises:
        InputError: It cannot be read, or holds something else; no error repeats what is in it.
    """
    # The path is never repeated: it may be a key that somebody took for the argument.
    try:
        if path == "-":
            octets = b"" if sys.stdin is None else sys.stdin.buffer.read(_MAX_FILE + 1)
        else:
            with open(path, "rb") as file:
                octets = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "no such file"
        raise InputError(
            f"the file of keys cannot be read: {reason} (it takes the name of a file, not a key)"
        ) from None
    if not octets.strip():
        raise InputError("the file of keys is empty")
    if len(octets) > _MAX_FILE:
        raise InputError(f"the file of keys is longer than {_MAX_FILE} octets: it holds no keys")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the file of keys is no text") from None
    read = _json_pairs if text.lstrip().startswith("{") else _line_pairs
    pairs = list(read(text, names))
    found = [name for name, _, _ in pairs]
    for name, _, where in pairs:
        if found.count(name) > 1:
            raise InputError(f"{where}: {name} is there twice")
    return pairs


def _line_pairs(text: str, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        where = f"line {number} of the keys"
        name, equals, value = line.partition("=")
        if not equals:
            raise InputError(f"{where}: expected NAME=HEX")
        yield key_name(name, where, names), value, where


def _json_pairs(text: str, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    where = "the JSON of the keys"
    try:
        pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: {error.msg} (line {error.lineno})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{where} cannot be read") from None
    for key, value in pairs:
        name = key_name(key, where, names)
        if not isinstance(value, str):
            raise InputError(f"{where}: {name} is no text of hex digits")
        yield name, value, where


def _from_prompt(
    version: LorawanVersion | None, extra: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Ask for the usual keys; an empty answer skips one."""
    if version is None:
        answer = _ask("LoRaWAN version of the device, 1.0 or 1.1 [1.0]: ", secret=False)
        version = lorawan_version(answer or "1.0")
    root = AppKey if version is LorawanVersion.V1_1 else GenAppKey
    for name in (root.__name__, McKey.__name__, ENCRYPTED, MC_ADDR):
        if name in extra:
            continue
        digits = 8 if name == MC_ADDR else 32
        secret = name not in (ENCRYPTED, MC_ADDR)
        text = _ask(f"{name}, {digits} hex digits, empty to skip: ", secret=secret)
        if text:
            yield name, text, "the answer"


def _ask(question: str, *, secret: bool) -> str:
    try:
        if secret:
            return getpass.getpass(question, sys.stderr).strip()
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()
    except EOFError:
        return ""


def key_name(text: str, where: str, names: Sequence[str] = NAMES) -> str:
    """Return the one spelling of a name.

    Raises:
        InputError: There is no such name; the error does not repeat it, it may be a stray key.
    """
    wanted = plain(text)
    if wanted == "mcnetskey":  # the word of TS005-1.0.0
        wanted = plain(McNwkSKey.__name__)
    for name in names:
        if plain(name) == wanted:
            return name
    raise InputError(f"{where}: expected one of {', '.join(names)} as the name")


def plain(text: str) -> str:
    """Return a name as it is compared: people write GenAppKey, gen_app_key, gen-app-key."""
    return text.strip().replace("_", "").replace("-", "").lower()


def key_octets(text: str, name: str, where: str) -> bytes:
    """Read 16 octets of hex with spaces, colons or 0x; errors tell the length and nothing else.

    Raises:
        InputError: It is something else.
    """
    digits = "".join(text.replace(":", " ").split())
    digits = digits.removeprefix("0x").removeprefix("0X")
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        octets = b""
    if len(octets) != 16:
        kind = "hex digits" if octets else "characters"
        raise InputError(
            f"{where}: {name} has {len(digits)} {kind}: expected 32 hex digits"
        ) from None
    return octets


def _address(text: str, where: str) -> DevAddr:
    try:
        return DevAddr.from_hex(text.strip())
    except FieldError:
        given = f"{len(text.strip())} characters"
        raise InputError(f"{where}: {MC_ADDR} has {given}: expected 8 hex digits") from None


def lorawan_version(text: str | None) -> LorawanVersion | None:
    """Read 1.0, 1.0.x or 1.1.

    Raises:
        InputError: It is none of these; the error does not repeat it.
    """
    if text is None:
        return None
    by_text = {"1.0": LorawanVersion.V1_0, "1.0.x": LorawanVersion.V1_0, "1.1": LorawanVersion.V1_1}
    if text not in by_text:
        raise InputError("the LoRaWAN version of --lorawan is 1.0 or 1.1")
    return by_text[text]


def with_one_root(given: Given, version: LorawanVersion | None) -> Given:
    """Leave one root key at most, the one that the device's link layer derives from.

    Raises:
        InputError: There are two and no version, or only the one of the other version.
    """
    roots = {LorawanVersion.V1_0: GenAppKey, LorawanVersion.V1_1: AppKey}
    if version is None:
        if GenAppKey in given.keys and AppKey in given.keys:
            raise InputError(
                "both GenAppKey and AppKey are given: --lorawan 1.0 derives from GenAppKey, "
                "--lorawan 1.1 from AppKey"
            )
        return given
    wanted, other = roots[version], AppKey if version is LorawanVersion.V1_0 else GenAppKey
    if other in given.keys and wanted not in given.keys:
        raise InputError(
            f"a LoRaWAN {version.value} device derives from {wanted.__name__}, "
            f"but {other.__name__} was given"
        )
    keys = {cls: key for cls, key in given.keys.items() if cls is not other}
    return dataclasses.replace(given, keys=keys)
