"""Mutants of multi-package access (TS007)."""

from __future__ import annotations

from typing import Any

from lorafuota.multipackage import commandset
from lorafuota.multipackage.v1 import MultiPackBufferReq
from lorafuota.session import multipackage as session
from lorafuota.session.actions import Send
from lorafuota.session.device import FuotaDevice
from lorafuota.session.multipackage import AnswerBuffer, SetDevice
from lorafuota.types import DOWNLINK

from .mutant import SMALL, Mutant, around, changed, flags


def _token(new: Any) -> Any:
    return lambda: around(AnswerBuffer, "begin", lambda real, self, token: real(self, new(token)))


def _request(change: Any) -> Any:
    def request(real: Any, self: AnswerBuffer, req: MultiPackBufferReq) -> None:
        real(self, change(self, req))

    return lambda: around(AnswerBuffer, "request", request)


def _last_byte(self: AnswerBuffer) -> int:
    return max(len(self.ans) - 1, 0)


def _start_limited(self: AnswerBuffer, req: MultiPackBufferReq) -> Any:
    return changed(req, start_byte=min(req.start_byte, _last_byte(self)))


def _put_in_order(self: AnswerBuffer, req: MultiPackBufferReq) -> Any:
    low, high = sorted((req.start_byte, req.stop_byte))
    return changed(req, start_byte=low, stop_byte=high)


def _from_the_start(self: AnswerBuffer, req: MultiPackBufferReq) -> Any:
    return changed(req, start_byte=0) if req.start_byte < len(self.ans) else req


def _filled_up(real: Any, self: AnswerBuffer, req: MultiPackBufferReq) -> None:
    if req.start_byte < len(self._ans):
        self._ans = self._ans.ljust(min(req.stop_byte + 1, 64), b"\0")
    real(self, req)


def _error_clears(real: Any, self: AnswerBuffer, req: MultiPackBufferReq) -> None:
    real(self, req)
    if self._error:
        self._ans = b""


def _not_kept(real: Any, self: AnswerBuffer, octets: int) -> Any:
    frame = real(self, octets)
    if not self.unsent:
        self._ans = b""
    return frame


def _not_cleared(real: Any, self: AnswerBuffer, token: int) -> None:
    kept = self._ans
    real(self, token)
    self._ans = kept


def _two_thirds(real: Any, self: AnswerBuffer, octets: int) -> Any:
    return real(self, octets if self._whole and len(self._ans) < octets else octets * 2 // 3)


def _relative(real: Any, self: AnswerBuffer, octets: int) -> Any:
    frame = real(self, octets)
    if frame is not None and frame[:1] == b"\x02" and frame[1] not in (0, 0xFF):
        return frame[:1] + b"\0" + frame[2:]
    return frame


def _always_pieces(real: Any, self: AnswerBuffer, octets: int) -> Any:
    self._whole = False
    return real(self, octets)


def _larger(real: Any, self: AnswerBuffer, answer: bytes) -> bool:
    self._ans += answer
    self._range = range(len(self._ans))
    return True


def _cut(real: Any, self: AnswerBuffer, answer: bytes) -> bool:
    return bool(real(self, answer[: max(128 - len(self._ans), 0)]))


def _no_package_id(real: Any, self: AnswerBuffer, answer: bytes) -> bool:
    return bool(real(self, answer[1:] if answer[:1] >= b"\x80" else answer))


def _without_first(real: Any, self: FuotaDevice, command: Any) -> Any:
    results = real(self, command)
    for one in results or []:
        packages = one.command.packages[1:]
        object.__setattr__(one.command, "packages", packages)
        object.__setattr__(one.command, "nb_total_packages", len(packages))
    return results


def _strange_ports(real: Any, self: FuotaDevice, command: Any) -> Any:
    results = real(self, command)
    for one in results or []:
        packages = tuple(changed(each, port=225) for each in one.command.packages)
        object.__setattr__(one.command, "packages", packages)
    return results


def _executed_twice(real: Any, self: SetDevice, payload: bytes, **rest: Any) -> Any:
    kept: dict[str, Any] = self.__dict__.setdefault("_kept", {})
    if len(payload) == 3 and payload[:1] == b"\x02" and "set" in kept:
        real(self, kept["set"], **rest)
    elif payload:
        kept["set"] = payload
    return real(self, payload, **rest)


def _mixed_executed(real: Any, payload: bytes, packages: Any, **rest: Any) -> Any:
    """The commands before a MultiPackBufferReq are executed."""
    found = commandset._read_set(payload, DOWNLINK, packages, False)
    return real(payload, packages, **rest) if len(payload) == 3 else found


def _own_package_again(real: Any, payload: bytes, packages: Any, **rest: Any) -> Any:
    """Without a PackageID a command belongs to this package, wherever it stands."""
    found = real(payload, packages, **rest)
    if not isinstance(found, commandset.CommandSet):
        return found
    commands = tuple(
        one if one.explicit or at == 0 else changed(one, package=0)
        for at, one in enumerate(found.commands)
    )
    return changed(found, commands=commands)


def _backwards(real: Any, payload: bytes, packages: Any, **rest: Any) -> Any:
    found = real(payload, packages, **rest)
    if not isinstance(found, commandset.CommandSet):
        return found
    return changed(found, commands=found.commands[::-1])


def _first_package(real: Any, payload: bytes, packages: Any, **rest: Any) -> Any:
    found = real(payload, packages, **rest)
    if not isinstance(found, commandset.CommandSet) or not found.commands:
        return found
    first = found.commands[0].package
    return changed(found, commands=tuple(one for one in found.commands if one.package == first))


def _lone_token(real: Any, self: SetDevice, payload: bytes, **rest: Any) -> Any:
    """An empty set is answered with its token."""
    actions = real(self, payload, **rest)
    if len(payload) == 1:
        actions.append(Send(225, payload, rest["now"]))
    return actions


def _silent_token(real: Any, self: AnswerBuffer, octets: int) -> Any:
    """An empty buffer is sent: the bare token."""
    if self._whole and not self._ans and not self._error and self._range is not None:
        self._range = None
        return bytes((self._token,))
    return real(self, octets)


def _empty_piece(real: Any, self: AnswerBuffer, octets: int) -> Any:
    if self._error and not self._ans:
        self._error, self._range = False, None
        return bytes((2, 0, self._token))
    return real(self, octets)


def _goes_on(real: Any, self: AnswerBuffer, token: int) -> None:
    """What is unsent of the last set is sent first."""
    if self._range and len(self._range) > 10:
        self._ans = self._ans[:20]
        return
    real(self, token)


def _request_waits(real: Any, self: AnswerBuffer, req: MultiPackBufferReq) -> None:
    if not self._range:
        real(self, req)


def _by_multicast(
    real: Any, self: FuotaDevice, fport: int, payload: Any, *, now: float, mc_group_id: Any = None
) -> Any:
    return real(self, fport, payload, now=now, mc_group_id=None if fport == 225 else mc_group_id)


def _dies_with_set(real: Any, self: FuotaDevice, fport: int, payload: Any, **rest: Any) -> Any:
    """After a set the packages' own ports are dead."""
    kept: dict[str, bool] = self.__dict__.setdefault("_kept", {})
    kept["dead"] = kept.get("dead", False) or fport == 225
    return [] if kept["dead"] and fport != 225 else real(self, fport, payload, **rest)


_S = "ts007-v1/"

MUTANTS = [
    Mutant("token-zero", "The token is 0 always.", _S + "token-2", _token(lambda token: 0)),
    Mutant(
        "token-one-bit", "The token has one bit.", _S + "token-3", _token(lambda token: token & 1)
    ),
    Mutant(
        "packages-without-own",
        "DevPackageAns leaves this package out.",
        _S + "packages",
        lambda: around(FuotaDevice, "_own_command", _without_first),
    ),
    Mutant(
        "packages-on-225",
        "DevPackageAns tells port 225 for all.",
        _S + "packages",
        lambda: around(FuotaDevice, "_own_command", _strange_ports),
    ),
    Mutant(
        "no-package-id",
        "No PackageID is copied.",
        _S + "every-package",
        lambda: around(AnswerBuffer, "append", _no_package_id),
    ),
    Mutant(
        "package-not-kept",
        "A command without PackageID belongs to package 0.",
        _S + "package-kept",
        lambda: around(session, "read_command_set", _own_package_again),
    ),
    Mutant(
        "set-backwards",
        "Commands run last to first.",
        _S + "other-order",
        lambda: around(session, "read_command_set", _backwards),
    ),
    Mutant(
        "own-ports-dead",
        "After a set the other ports are dead.",
        _S + "own-port-too",
        lambda: around(FuotaDevice, "receive", _dies_with_set),
    ),
    Mutant(
        "silence-ends-all",
        "A command without answer ends the set.",
        _S + "no-answer-goes-on",
        lambda: flags(sets={"silence_ends_all": True}),
    ),
    Mutant(
        "bare-token",
        "An empty buffer is sent.",
        _S + "only-silent",
        lambda: around(AnswerBuffer, "next_frame", _silent_token),
    ),
    Mutant(
        "lone-token",
        "A lone token is answered.",
        _S + "token-alone",
        lambda: around(SetDevice, "receive", _lone_token),
    ),
    Mutant(
        "mixed-executed",
        "A set with MultiPackBufferReq in it is executed.",
        _S + "mixed-last",
        lambda: around(session, "read_command_set", _mixed_executed),
    ),
    Mutant(
        "stop-exclusive",
        "StopByte is not sent.",
        _S + "buffer-range",
        lambda: flags(sets={"stop_exclusive": True}),
    ),
    Mutant(
        "buffer-from-start",
        "A part is sent from the first octet.",
        _S + "buffer-one-octet",
        _request(_from_the_start),
    ),
    Mutant(
        "buffer-filled-up",
        "A part past the end is filled up.",
        _S + "buffer-past-end",
        lambda: around(AnswerBuffer, "request", _filled_up),
    ),
    Mutant(
        "buffer-start-limited",
        "A StartByte past the end is the last octet.",
        _S + "buffer-start-past-end",
        _request(_start_limited),
    ),
    Mutant(
        "buffer-put-in-order",
        "StartByte and StopByte are put in order.",
        _S + "buffer-backwards",
        _request(_put_in_order),
    ),
    Mutant(
        "buffer-error-clears",
        "An error clears the buffer.",
        _S + "buffer-after-error",
        lambda: around(AnswerBuffer, "request", _error_clears),
    ),
    Mutant(
        "buffer-not-kept",
        "The buffer is gone when it has been sent.",
        _S + "buffer-all",
        lambda: around(AnswerBuffer, "next_frame", _not_kept),
    ),
    Mutant(
        "buffer-not-cleared",
        "A set appends to the answers of the last.",
        _S + "buffer-cleared",
        lambda: around(AnswerBuffer, "begin", _not_cleared),
    ),
    Mutant(
        "executed-again",
        "A request for the buffer executes the set again.",
        _S + "buffer-not-executed",
        lambda: around(SetDevice, "receive", _executed_twice),
    ),
    Mutant(
        "base-byte-relative",
        "BaseByte counts from the part, not from the buffer.",
        _S + "buffer-range",
        lambda: around(AnswerBuffer, "next_frame", _relative),
    ),
    Mutant(
        "always-pieces",
        "Answers always come in pieces.",
        _S + "pieces-fit",
        lambda: around(AnswerBuffer, "next_frame", _always_pieces),
    ),
    Mutant(
        "cut-early",
        "Answers are cut into pieces two octets early.",
        _S + "pieces-fit",
        lambda: flags(sets={"cuts_early": True}),
        SMALL,
    ),
    Mutant(
        "overflow-taken",
        "The buffer is longer than 128 octets.",
        _S + "overflow",
        lambda: around(AnswerBuffer, "append", _larger),
    ),
    Mutant(
        "overflow-cut",
        "The answer that does not fit is cut.",
        _S + "overflow",
        lambda: around(AnswerBuffer, "append", _cut),
    ),
    Mutant(
        "buffer-125",
        "The buffer has 125 octets.",
        _S + "overflow-fills",
        lambda: flags(sets={"buffer_octets": 125}),
    ),
    Mutant(
        "short-pieces",
        "Pieces are shorter than they could be.",
        _S + "pieces",
        lambda: around(AnswerBuffer, "next_frame", _two_thirds),
        SMALL,
    ),
    Mutant(
        "pieces-go-on",
        "A new set waits for the pieces of the last.",
        _S + "pieces-abandoned",
        lambda: around(AnswerBuffer, "begin", _goes_on),
        SMALL,
    ),
    Mutant(
        "request-waits",
        "A request for a part is ignored while pieces leave.",
        _S + "pieces-restarted",
        lambda: around(AnswerBuffer, "request", _request_waits),
        SMALL,
    ),
    Mutant(
        "sets-by-multicast",
        "Sets are taken by multicast.",
        _S + "by-multicast",
        lambda: around(FuotaDevice, "receive", _by_multicast),
    ),
    Mutant(
        "first-package-only",
        "Commands of the first package are executed, no others.",
        _S + "every-package",
        lambda: around(session, "read_command_set", _first_package),
    ),
    Mutant(
        "empty-piece",
        "An empty buffer is answered with an empty piece.",
        _S + "buffer-empty",
        lambda: around(AnswerBuffer, "next_frame", _empty_piece),
    ),
]
