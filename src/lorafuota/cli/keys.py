"""``lorafuota keys``: every step from a root key to the keys of a group, in sight.

Keys go in by file, environment or prompt, never as arguments: the process list, the shell's history
and its logs would keep them.  They come out only when asked for by name; otherwise a *check value*
stands in their place, the first four hex digits of SHA-256 over the key's name and octets.  Two
people can compare it, and it gives away 16 of 128 bits.  (The usual check value, the encryption of
a block of zeros, would not do: McRootKey of a 1.0.x device *is* the encryption of zeros.)

A key that is derived and was also given is compared.  That makes the command a judge: give it what
a device or a server computed, and it says where the two part.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Final

from .. import crypto
from ..types import (
    AppKey,
    GenAppKey,
    Key,
    McKEKey,
    McKey,
    McRootKey,
)
from ..wire import JSON
from .arguments import InputError, Status, Subparsers, subcommand
from .keyinput import (
    ENCRYPTED,
    KEY_CLASSES,
    MC_ADDR,
    Given,
    gather,
    key_name,
    key_of,
    lorawan_version,
    plain,
    with_one_root,
)
from .output import bad, good, strong, write_json

__all__ = ["add", "run"]


_DESCRIPTION: Final = """\
Show every derivation step: which key encrypts or decrypts which block, and
what comes out.

  LoRaWAN 1.0.x   GenAppKey --+--> McRootKey --> McKEKey    wraps McKey
  LoRaWAN 1.1     AppKey -----+--> DataBlockIntKey          signs data blocks
  McKey and McAddr ------------+-> McAppSKey, McNwkSKey     the group's frames

A 1.0.x device derives from its GenAppKey, never from the AppKey it joins with;
a 1.1 device has no GenAppKey and derives from AppKey.

Keys are not taken as arguments, because other users see those in the list of
processes and the shell writes them to its history.  They come from
  * a file (--keys FILE, - for stdin): lines NAME=HEX, or a JSON object,
  * else the environment: LORAFUOTA_GENAPPKEY, LORAFUOTA_APPKEY,
    LORAFUOTA_MCKEY, LORAFUOTA_MCKEY_ENCRYPTED, LORAFUOTA_MCADDR, ...,
  * else a prompt, on a terminal.
Names: GenAppKey, AppKey, McRootKey, McKEKey, McKey, McKey_encrypted, McAddr,
McAppSKey, McNwkSKey, DataBlockIntKey.  Give what you have; a key that can be
derived and is given too is compared, and a difference ends with status 1.

Keys are shown only if named with --reveal.  The check value in their place is
the start of SHA-256 over name and key: equal keys have equal check values."""

_EXAMPLE: Final = """\
printf 'GenAppKey=%s\\nMcKey=%s\\nMcAddr=01020304\\n' "$ROOT" "$MCKEY" > keys.txt
lorafuota keys --keys keys.txt
lorafuota keys --keys keys.txt --reveal McAppSKey,McNwkSKey"""


def add(subparsers: Subparsers) -> None:
    """Declare the arguments."""
    parser = subcommand(
        subparsers,
        "keys",
        run,
        summary="show how multicast and data block keys are derived",
        description=_DESCRIPTION,
        example=_EXAMPLE,
    )
    parser.add_argument(
        "--keys", metavar="FILE", help="lines NAME=HEX or a JSON object; - is stdin"
    )
    parser.add_argument(
        "--lorawan",
        metavar="VERSION",
        help="link layer of the device, 1.0 or 1.1, where both GenAppKey and AppKey are given",
    )
    parser.add_argument(
        "--mc-addr",
        metavar="ADDR",
        help="group address, 8 hex digits as servers write it (no secret, so it may stand here)",
    )
    parser.add_argument(
        "--mc-key-encrypted",
        metavar="HEX",
        help="from McGroupSetupReq (no secret without McKEKey, so it may stand here)",
    )
    parser.add_argument(
        "--reveal",
        metavar="NAMES",
        default="",
        help="keys to print, separated by commas; all means every derived key",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(args: argparse.Namespace) -> int:
    """Derive what can be derived; 1 when a key that was given differs from the derived one."""
    shown = _shown(args.reveal)
    version = lorawan_version(args.lorawan)
    extra = {
        name: text
        for name, text in ((MC_ADDR, args.mc_addr), (ENCRYPTED, args.mc_key_encrypted))
        if text is not None
    }
    given = with_one_root(gather(args.keys, version, extra), version)
    steps = _derive(given)
    if not steps:
        raise InputError(
            "nothing can be derived: expected GenAppKey or AppKey, or McRootKey, or McKEKey with "
            "McKey or McKey_encrypted, or McKey with McAddr"
        )
    other = _other_root(given, steps)
    if args.json:
        write_json(_document(given, steps, shown, other=other))
    else:
        print("\n".join(_text(given, steps, shown, other=other)))
    return Status.NO if any(step.agrees is False for step in steps) else Status.GOOD


def _shown(text: str) -> frozenset[str]:
    """Return the names of the keys to reveal."""
    names: set[str] = set()
    for part in filter(None, map(plain, text.split(","))):
        if part == "all":
            names |= {cls.__name__ for cls in KEY_CLASSES} - {GenAppKey.__name__, AppKey.__name__}
        else:
            names.add(key_name(part, "--reveal"))
    return frozenset(names)


# --- Derivation -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """One use of AES."""

    name: str
    """What comes out."""
    meaning: str
    operation: str
    under: str
    """The key that encrypts or decrypts."""
    block: bytes = dataclasses.field(repr=False)
    block_text: str
    block_secret: str
    """The key that the block is, and that has to be named for it to be shown; or nothing."""
    result: bytes = dataclasses.field(repr=False)
    agrees: bool | None
    """Whether the result is what was given under its name; None when nothing was."""


def _derive(given: Given) -> list[_Step]:
    """Do every step whose inputs are there.

    A derived key goes before a given one in the steps that follow, except McKey: there the given
    one is the server's choice, and McKey_encrypted only how it was sent.
    """
    steps: list[_Step] = []
    known = dict(given.keys)

    def step(
        key: Key, meaning: str, under: type[Key], block: bytes, text: str, *, stays: bool = False
    ) -> None:
        cls = type(key)
        agrees = known[cls] == key if cls in given.keys else None
        name = under.__name__
        octets = key.reveal()
        steps.append(_Step(cls.__name__, meaning, "encrypt", name, block, text, "", octets, agrees))
        if not stays:
            known[cls] = key

    root: GenAppKey | AppKey | None = key_of(known, GenAppKey) or key_of(known, AppKey)
    if root is not None:
        head = b"\x00" if isinstance(root, GenAppKey) else b"\x20"
        link = "LoRaWAN 1.0.x" if isinstance(root, GenAppKey) else "LoRaWAN 1.1"
        text = f"0x{head.hex()}, then zeros: {link}"
        meaning = "only makes McKEKey"
        step(crypto.derive_mc_root_key(root), meaning, type(root), _padded(head), text)
    mc_root_key = key_of(known, McRootKey)
    if mc_root_key is not None:
        ke_key = crypto.derive_mc_ke_key(mc_root_key)
        step(ke_key, "wraps McKey for this device", McRootKey, _padded(b""), "zeros")
    mc_ke_key, mc_key, encrypted = (
        key_of(known, McKEKey),
        key_of(known, McKey),
        given.mc_key_encrypted,
    )
    if mc_ke_key is not None and encrypted is not None:
        unwrapped = crypto.unwrap_mc_key(mc_ke_key, encrypted)
        meaning = "the group's key, the same in all members"
        step(unwrapped, meaning, McKEKey, encrypted, ENCRYPTED, stays=mc_key is not None)
    elif mc_ke_key is not None and mc_key is not None:
        wrapped = crypto.wrap_mc_key(mc_ke_key, mc_key)
        meaning = "what McGroupSetupReq carries to this device"
        block, secret = mc_key.reveal(), McKey.__name__
        steps.append(
            _Step(ENCRYPTED, meaning, "decrypt", "McKEKey", block, secret, secret, wrapped, None)
        )
    mc_key, mc_addr = key_of(known, McKey), given.mc_addr
    if mc_key is not None and mc_addr is not None:
        tail = mc_addr.to_bytes(4, "little")
        text = f"McAddr {mc_addr} low octet first, then zeros"
        app, nwk = b"\x01" + tail, b"\x02" + tail
        meaning = "encrypts the payload of the group's downlinks"
        app_s_key = crypto.derive_mc_app_s_key(mc_key, mc_addr)
        step(app_s_key, meaning, McKey, _padded(app), f"0x01, {text}")
        meaning = "makes the MIC of the group's downlinks"
        nwk_s_key = crypto.derive_mc_nwk_s_key(mc_key, mc_addr)
        step(nwk_s_key, meaning, McKey, _padded(nwk), f"0x02, {text}")
    if root is not None:
        int_key = crypto.derive_data_block_int_key(root)
        meaning = "makes the MIC of data blocks for this device (TS004 version 2)"
        step(int_key, meaning, type(root), _padded(b"\x30"), "0x30, then zeros")
    return steps


def _padded(head: bytes) -> bytes:
    return head.ljust(16, b"\x00")


def _other_root(given: Given, steps: list[_Step]) -> str | None:
    """Return the root key that the root key given must be, when that settles every difference."""
    root = key_of(given.keys, GenAppKey) or key_of(given.keys, AppKey)
    if root is None or all(step.agrees is not False for step in steps):
        return None
    swapped: Key = (AppKey if isinstance(root, GenAppKey) else GenAppKey)(root.reveal())
    keys = {cls: key for cls, key in given.keys.items() if cls is not type(root)}
    again = _derive(dataclasses.replace(given, keys={**keys, type(swapped): swapped}))
    settled = all(step.agrees is not False for step in again)
    return type(swapped).__name__ if settled else None


def _missing(given: Given, steps: list[_Step]) -> Iterator[str]:
    """Say what was not derived and for want of what."""
    have = {step.name for step in steps} | {cls.__name__ for cls in given.keys}
    if "McRootKey" not in have and McKEKey not in given.keys:
        yield "McRootKey, McKEKey and DataBlockIntKey need GenAppKey (1.0.x) or AppKey (1.1)"
    if "McKey" not in have:
        yield "McAppSKey and McNwkSKey need McKey, or McKey_encrypted with McKEKey, and McAddr"
    elif given.mc_addr is None:
        yield "McAppSKey and McNwkSKey need McAddr"


# --- What is shown --------------------------------------------------------------------------------


def _check(name: str, octets: bytes) -> str:
    return hashlib.sha256(name.encode() + octets).hexdigest()[:4]


def _is_public(name: str) -> bool:
    return name == ENCRYPTED


def _root_sentence(given: Given) -> str:
    if GenAppKey in given.keys:
        return (
            "LoRaWAN 1.0.x: keys come from GenAppKey, not from the AppKey the device joins with.\n"
            "(For a LoRaWAN 1.1 device give AppKey instead.)"
        )
    if AppKey in given.keys:
        return (
            "LoRaWAN 1.1: keys come from AppKey.\n"
            "(A 1.0.x device has a GenAppKey beside its AppKey; for such a device give that.)"
        )
    return "No root key given: that would be GenAppKey for LoRaWAN 1.0.x, AppKey for 1.1."


def _text(
    given: Given, steps: list[_Step], shown: frozenset[str], *, other: str | None
) -> Iterator[str]:
    yield _root_sentence(given)
    yield ""
    yield strong("given")
    for cls, key in given.keys.items():
        yield f"  {cls.__name__:<16}{_secret(cls.__name__, key.reveal(), shown)}"
    if given.mc_key_encrypted is not None:
        yield f"  {ENCRYPTED:<16}{given.mc_key_encrypted.hex()}"
    if given.mc_addr is not None:
        yield f"  {MC_ADDR:<16}{given.mc_addr}"
    for step in steps:
        hidden = step.block_secret and step.block_secret not in shown
        block = "(hidden)" if hidden else step.block.hex()
        yield ""
        yield f"{strong(step.name)}  {step.meaning}"
        yield f"  = AES-128 {step.operation} with {step.under}"
        yield f"    block   {block}  {step.block_text}"
        yield f"    result  {_secret(step.name, step.result, shown)}{_verdict(step)}"
    missing = list(_missing(given, steps))
    if missing:
        yield ""
        yield from missing
    if other is not None:
        yield ""
        yield f"hint: everything agrees if the root key given is {_root_name(other)}"


def _root_name(name: str) -> str:
    return f"{name} of a LoRaWAN {'1.0.x' if name == GenAppKey.__name__ else '1.1'} device"


def _secret(name: str, octets: bytes, shown: frozenset[str]) -> str:
    if _is_public(name):
        return octets.hex()
    visible = octets.hex() if name in shown else "(hidden)"
    return f"{visible}  check value {_check(name, octets)}"


def _verdict(step: _Step) -> str:
    if step.agrees is None:
        return ""
    return f"  {good('agrees')}" if step.agrees else f"  {bad('differs from the one given')}"


def _document(
    given: Given, steps: list[_Step], shown: frozenset[str], *, other: str | None
) -> dict[str, JSON]:
    lorawan = {GenAppKey: "1.0.x", AppKey: "1.1"}
    keys: list[JSON] = [
        _key_json(cls.__name__, key.reveal(), shown) for cls, key in given.keys.items()
    ]
    derived: list[JSON] = []
    for step in steps:
        hidden = step.block_secret and step.block_secret not in shown
        derived.append(
            {
                **_key_json(step.name, step.result, shown),
                "operation": step.operation,
                "under": step.under,
                "block": None if hidden else step.block.hex(),
                "block_meaning": step.block_text,
                "agrees": step.agrees,
            }
        )
    encrypted = given.mc_key_encrypted
    return {
        "lorawan": next((text for cls, text in lorawan.items() if cls in given.keys), None),
        "given": keys,
        "mc_addr": None if given.mc_addr is None else str(given.mc_addr),
        "mc_key_encrypted": None if encrypted is None else encrypted.hex(),
        "derived": derived,
        "missing": [*_missing(given, steps)],
        "root_key_must_be": other,
    }


def _key_json(name: str, octets: bytes, shown: frozenset[str]) -> dict[str, JSON]:
    visible = _is_public(name) or name in shown
    return {
        "name": name,
        "octets": octets.hex() if visible else None,
        "check_value": None if _is_public(name) else _check(name, octets),
    }
