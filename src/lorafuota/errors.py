"""Every exception the library raises on purpose.

* :class:`FuotaError`
    * :class:`FieldError` (ValueError): our caller built something that cannot exist
    * :class:`StateError` (RuntimeError): our caller asked for what this state cannot do
    * :class:`DecodeError` (ValueError): octets that are not what the document describes
        * :class:`TruncatedError`: they end inside a command
        * :class:`UnknownCommandError`: no such command in this package and direction
        * :class:`ReservedBitsError`: a reserved bit is set (strict decoding only)
        * :class:`TrailingOctetsError`: something follows the command (strict decoding only)
    * :class:`IntegrityError`: a MIC, a signature or a surplus fragment does not fit
    * :class:`RefusedError`: an image that is authentic and must not be installed here
        * :class:`TargetError`: it is for other hardware
        * :class:`RollbackError`: it is not newer than what runs
        * :class:`BaseImageError`: a delta, and for another firmware than the one that runs

The first question is *whose fault is it?*  FieldError and StateError: the caller's.  DecodeError
and IntegrityError: the peer's, or the radio's.  A peer that refuses is no error, it is an answer.
"""

from __future__ import annotations

__all__ = [
    "BaseImageError",
    "DecodeError",
    "FieldError",
    "FuotaError",
    "IntegrityError",
    "RefusedError",
    "ReservedBitsError",
    "RollbackError",
    "StateError",
    "TargetError",
    "TrailingOctetsError",
    "TruncatedError",
    "UnknownCommandError",
]

_LONGEST_TIME = float(1 << 53)


class Described(str):
    """What stands for a value in an error when the value itself must not, or need not, be shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class FuotaError(Exception):
    """The base class: ``except FuotaError`` catches all of ours and nothing else."""


class FieldError(FuotaError, ValueError):
    """A value that does not fit where it was given.

    Attributes:
        message: The message, record, key or function the value was meant for.
        field: The field or argument.
        value: What was given.  Never a key: a key that does not fit is reported by its length.
        expected: What would have been accepted, in words.
    """

    def __init__(self, message: str, field: str, value: object, expected: str) -> None:
        super().__init__(message, field, value, expected)
        self.message, self.field, self.value, self.expected = message, field, value, expected

    def __str__(self) -> str:
        try:
            shown = repr(self.value)
        except (RecursionError, ValueError):  # nested too deep, a number too long
            shown = f"({type(self.value).__name__})"
        if len(shown) > 80:
            shown = f"{shown[:60]}... ({type(self.value).__name__})"
        return f"{self.message}.{self.field} = {shown}: expected {self.expected}"


class StateError(FuotaError, RuntimeError):
    """A call that the present state does not allow.

    Attributes:
        operation: What was asked for.
        reason: Why it cannot be done now.
    """

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(operation, reason)
        self.operation, self.reason = operation, reason

    def __str__(self) -> str:
        return f"{self.operation}: {self.reason}"


class DecodeError(FuotaError, ValueError):
    """Octets that are not a valid command.

    Attributes:
        command: The command being read, or the package when no command was found.
        offset: Where, counted in octets from the start of the payload.
        reason: What is wrong, in words.
    """

    def __init__(self, command: str, offset: int, reason: str) -> None:
        super().__init__(command, offset, reason)
        self.command, self.offset, self.reason = command, offset, reason

    def __str__(self) -> str:
        return f"{self.command}: {self.reason} (octet {self.offset})"

    def __eq__(self, other: object) -> bool:
        """Compare by content, so that a test can compare the whole result of a parse."""
        if not isinstance(other, DecodeError):
            return NotImplemented
        return type(self) is type(other) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class TruncatedError(DecodeError):
    """The payload ends inside a command."""


class UnknownCommandError(DecodeError):
    """A command identifier that this package does not define in this direction."""


class ReservedBitsError(DecodeError):
    """A reserved bit is set.  Raised by strict decoding only."""


class TrailingOctetsError(DecodeError):
    """Octets follow a complete command.  Raised by strict decoding only."""


class IntegrityError(FuotaError):
    """A check over received data failed: a MIC, a frame, or surplus fragments.

    Attributes:
        subject: What was checked.
        reason: What does not fit.  Never the expected MIC, never a key.
    """

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(subject, reason)
        self.subject, self.reason = subject, reason

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


class RefusedError(FuotaError):
    """An image that is authentic and must not be installed here.

    Attributes:
        subject: What was checked.
        reason: Why it is refused.
    """

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(subject, reason)
        self.subject, self.reason = subject, reason

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


class TargetError(RefusedError):
    """The image is for other hardware, or does not say for which."""


class RollbackError(RefusedError):
    """The image is not newer than what runs."""


class BaseImageError(RefusedError):
    """The delta starts from another firmware than the one that runs."""


def require_int(message: str, field: str, value: object, lowest: int, highest: int) -> int:
    """Return *value* if it is a whole number from *lowest* to *highest*; the usual argument check.

    Raises:
        FieldError: It is not, or it is a bool.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise FieldError(message, field, value, f"int in {lowest}..{highest}")
    return value


def require_time(message: str, field: str, value: float) -> float:
    """Return *value* if it can be a time in seconds.

    Raises:
        FieldError: It is not finite, or beyond 2**53 seconds.
    """
    if not abs(value) <= _LONGEST_TIME:
        raise FieldError(message, field, value, "seconds, at most 2**53 of them")
    return value
