"""Mutants of how a device reads payloads and puts answers into uplinks."""

from __future__ import annotations

import dataclasses
from typing import Any

from lorafuota.errors import DecodeError
from lorafuota.package import MalformedCommand, PackageVersionAns
from lorafuota.session import clock, firmware, fragmentation, multicast
from lorafuota.session import device as session
from lorafuota.session.actions import Answer, Send
from lorafuota.session.device import FuotaDevice
from lorafuota.session.stacks import OnUnknown
from lorafuota.types import DOWNLINK

from .mutant import V1, Mutant, around, changed, together


def _strict(real: Any, self: FuotaDevice, package: Any, payload: bytes) -> Any:
    """A payload with a reserved bit in it is no payload."""
    try:
        return package.parse(payload, DOWNLINK, strict=True)
    except DecodeError:
        found = real(self, package, payload)
        return [] if all(not isinstance(one, MalformedCommand) for one in found) else found


def _filled_up(real: Any, self: FuotaDevice, package: Any, payload: bytes) -> Any:
    """What is missing of the last command is whatever stands behind it: here zeros."""
    found = real(self, package, payload)
    if found and isinstance(found[-1], MalformedCommand):
        return real(self, package, payload + bytes(40))[: len(found)]
    return found


def _first_only(real: Any, self: FuotaDevice, package: Any, payload: bytes) -> Any:
    return real(self, package, payload)[:1]


def _on_unknown(value: OnUnknown) -> Any:
    return lambda: around(
        FuotaDevice,
        "__init__",
        lambda real, self, **options: real(self, **{**options, "on_unknown": value}),
    )


def _uplinks(change: Any) -> Any:
    def uplinks(real: Any, results: Any, **rest: Any) -> Any:
        return change(real, results, rest)

    return lambda: around(session, "into_uplinks", uplinks)


def _cut(real: Any, results: Any, rest: Any) -> Any:
    """Everything goes into one uplink, which is cut off."""
    sends = real(results, **{**rest, "max_payload": 10_000})
    return [
        dataclasses.replace(one, payload=one.payload[: rest["max_payload"]])
        if isinstance(one, Send)
        else one
        for one in sends
    ]


def _too_long(real: Any, results: Any, rest: Any) -> Any:
    return real(results, **{**rest, "max_payload": 10_000})


def _four_answers(real: Any, results: Any, rest: Any) -> Any:
    answers = [one for one in results if isinstance(one, Answer)]
    return real([one for one in results if one not in answers[4:]], **rest)


def _backwards(real: Any, results: Any, rest: Any) -> Any:
    return real(list(results)[::-1], **rest)


def _next_port(real: Any, results: Any, rest: Any) -> Any:
    return real(results, **{**rest, "fport": rest["fport"] + 20})


def _other_version(real: Any, command: Any, package: Any, run: Any, **rest: Any) -> Any:
    return [
        Answer(changed(one.command, package_version=3 - one.command.package_version))
        if isinstance(one, Answer) and isinstance(one.command, PackageVersionAns)
        else one
        for one in real(command, package, run, **rest)
    ]


def _other_identifier(real: Any, command: Any, package: Any, run: Any, **rest: Any) -> Any:
    return [
        Answer(changed(one.command, package_identifier=3))
        if isinstance(one, Answer) and isinstance(one.command, PackageVersionAns)
        else one
        for one in real(command, package, run, **rest)
    ]


def _everywhere(name: str, new: Any) -> Any:
    """Every session has imported the gate under its own name."""
    modules = (clock, session, firmware, fragmentation, multicast)
    return lambda: together(*(around(module, name, new) for module in modules))


def _empty_crashes(real: Any, self: FuotaDevice, fport: int, payload: Any, **rest: Any) -> Any:
    payload = bytes(payload)
    if payload[0] == 0xFFF:
        return []
    return real(self, fport, payload, **rest)


def _unmasked_index(real: Any, self: FuotaDevice, fport: int, payload: Any, **rest: Any) -> Any:
    """A McGroupID with reserved bits beside it is an index into a table of four."""
    payload = bytes(payload)
    if fport == 200 and payload[:1] == b"\x02" and len(payload) > 1:
        (0, 1, 2, 3)[payload[1]]
    return real(self, fport, payload, **rest)


def _table_of_n(real: Any, self: FuotaDevice, fport: int, payload: Any, **rest: Any) -> Any:
    """Fragments have a table of 200 places."""
    payload = bytes(payload)
    if fport == 201 and payload[:1] == b"\x08" and len(payload) > 3:
        range(200)[int.from_bytes(payload[1:3], "little") & 0x3FFF]
    return real(self, fport, payload, **rest)


def _data_as_commands(real: Any, self: FuotaDevice, package: Any, payload: bytes) -> Any:
    """Behind a fragment that is dropped the parser goes on after three octets."""
    found = real(self, package, payload)
    if payload[:1] == b"\x08" and payload[1:2] == b"\0" and len(payload) > 3:
        return real(self, package, payload[3:])
    return found


def _skips_cid_only(
    real: Any, self: FuotaDevice, fport: int, package: Any, payload: bytes, now: float, group: Any
) -> Any:
    """Of a command that is not for multicast its identifier is skipped."""
    if group is not None and fport == 201 and payload[:1] == b"\x03":
        payload = payload[1:]
    return real(self, fport, package, payload, now, group)


MUTANTS = [
    Mutant(
        "reserved-bits-refused",
        "Payloads with reserved bits are dropped.",
        "ts005-v2/setup-reserved-bits",
        lambda: around(FuotaDevice, "_read", _strict),
    ),
    Mutant(
        "reserved-bits-of-status",
        "The same, for a status request.",
        "ts004-v1/status-reserved-bits",
        lambda: around(FuotaDevice, "_read", _strict),
        V1,
    ),
    Mutant(
        "reserved-bits-of-clock",
        "The same, for a correction.",
        "ts003-v2/correction-reserved-bits",
        lambda: around(FuotaDevice, "_read", _strict),
    ),
    Mutant(
        "reserved-bits-of-session",
        "The same, for a session request.",
        "ts005-v2/class-b-reserved-bits",
        lambda: around(FuotaDevice, "_read", _strict),
    ),
    Mutant(
        "index-unmasked",
        "Reserved bits beside McGroupID become an index.",
        "ts005-v2/setup-reserved-bits",
        lambda: around(FuotaDevice, "receive", _unmasked_index),
    ),
    Mutant(
        "table-of-n",
        "A fragment number above the table is out of bounds.",
        "ts004-v2/n-highest",
        lambda: around(FuotaDevice, "receive", _table_of_n),
    ),
    Mutant(
        "short-filled-up",
        "What is missing of a command is read behind the message.",
        "ts005-v2/cut-mc-group-setup-req",
        lambda: around(FuotaDevice, "_read", _filled_up),
    ),
    Mutant(
        "version-1-setup",
        "The same: a set-up of version 1 is one of version 2.",
        "ts004-v2/version-1-setup",
        lambda: around(FuotaDevice, "_read", _filled_up),
    ),
    Mutant(
        "reboot-cut",
        "The same, for a reboot.",
        "ts006-v1/cut-dev-reboot-time-req",
        lambda: around(FuotaDevice, "_read", _filled_up),
    ),
    Mutant(
        "data-as-commands",
        "Data of a dropped fragment are read as commands.",
        "ts004-v2/fragment-no-commands",
        lambda: around(FuotaDevice, "_read", _data_as_commands),
    ),
    Mutant(
        "skips-cid-only",
        "A command not for multicast is skipped by its identifier only.",
        "ts004-v2/by-multicast-skipped",
        lambda: around(FuotaDevice, "_receive_commands", _skips_cid_only),
    ),
    Mutant(
        "first-only",
        "The first command of a payload is executed, no other.",
        "ts003-v2/answers-in-order",
        lambda: around(FuotaDevice, "_read", _first_only),
    ),
    Mutant(
        "goes-on-behind-unknown",
        "Reading goes on behind an unknown command.",
        "ts005-v2/unknown-before",
        _on_unknown(OnUnknown.NEXT_OCTET),
    ),
    Mutant(
        "silent-before-unknown",
        "Nothing is answered if the end cannot be read.",
        "ts006-v1/unknown-behind",
        _on_unknown(OnUnknown.SILENCE),
    ),
    Mutant(
        "empty-crashes",
        "A payload without octets is one too few.",
        "ts004-v2/empty",
        lambda: around(FuotaDevice, "receive", _empty_crashes),
    ),
    Mutant("answers-cut", "Answers that do not fit are cut off.", "ts005-v2/many", _uplinks(_cut)),
    Mutant(
        "answers-too-long",
        "Answers are longer than any uplink.",
        "ts003-v1/many",
        _uplinks(_too_long),
        V1,
    ),
    Mutant(
        "four-answers",
        "There is room for four answers.",
        "ts004-v2/many-all",
        _uplinks(_four_answers),
    ),
    Mutant(
        "answers-backwards",
        "Answers come in the reverse order.",
        "ts003-v2/answers-in-order",
        _uplinks(_backwards),
    ),
    Mutant(
        "answers-elsewhere",
        "Answers come on another port.",
        "ts005-v1/version",
        _uplinks(_next_port),
        V1,
    ),
    Mutant(
        "other-version",
        "The other version is told.",
        "ts004-v2/version",
        _everywhere("let_in", _other_version),
    ),
    Mutant(
        "other-identifier",
        "PackageIdentifier is 3 always.",
        "ts003-v2/version",
        _everywhere("let_in", _other_identifier),
    ),
]
