"""What can be odd about captured octets: the kinds, by a stable code, and one finding of a kind."""

from __future__ import annotations

import dataclasses
import enum

from .._kinds import JSON

__all__ = ["Anomaly", "Oddity"]


class Oddity(enum.StrEnum):
    """The kinds of anomalies; the values are stable, for programs."""

    # Of a payload
    NO_COMMAND = "no-command"
    UNKNOWN_COMMAND = "unknown-command"
    MALFORMED_COMMAND = "malformed-command"
    TRAILING_OCTETS = "trailing-octets"
    NOT_ALONE = "not-alone"
    RESERVED_BITS = "reserved-bits"
    RESERVED_VALUE = "reserved-value"
    CONTRADICTION = "contradiction"
    NO_EFFECT = "no-effect"
    OTHER_PACKAGE = "other-package"
    UNKNOWN_VERSION = "unknown-version"
    CRC_HANDSHAKE = "crc-handshake"
    # Of times
    SATURATED = "saturated"
    UNIX_TIME = "unix-time"
    CLOCK_FAR_OFF = "clock-far-off"
    CLOCK_OFF = "clock-off"
    SESSION_OVER = "session-over"
    SESSION_FAR_OFF = "session-far-off"
    UNALIGNED_START = "unaligned-start"
    SHORT_SESSION = "short-session"
    LONG_SESSION = "long-session"
    # Of fragments
    NO_FRAGMENTS = "no-fragments"
    TOO_MANY_FRAGMENTS = "too-many-fragments"
    EMPTY_FRAGMENTS = "empty-fragments"
    FRAGMENT_TOO_LONG = "fragment-too-long"
    PADDING_TOO_LONG = "padding-too-long"
    UNKNOWN_ALGORITHM = "unknown-algorithm"
    ZERO_MIC = "zero-mic"
    EMPTY_FRAGMENT = "empty-fragment"
    N_IS_ZERO = "n-is-zero"
    # Of groups and windows
    NO_COUNTERS = "no-counters"
    ODD_ADDRESS = "odd-address"
    ZERO_KEY = "zero-key"
    NO_FREQUENCY = "no-frequency"
    ODD_FREQUENCY = "odd-frequency"
    ODD_DATA_RATE = "odd-data-rate"
    # Of frames
    LENGTH = "length"
    MAJOR_VERSION = "major-version"
    MIC = "mic"
    MAC_COMMAND = "mac-command"
    MAC_TWICE = "mac-twice"
    NOT_MULTICAST = "not-multicast"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something that is not as it should be, in a sentence.

    Attributes:
        code: What kind of thing.
        at: The octet it is about.
        field: The field it is about; empty if it is about a whole command, or none.
        sentence: What is odd, and what follows from it.
    """

    code: Oddity
    at: int
    field: str = ""
    sentence: str

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON, in the order of its attributes."""
        plain = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return {**plain, "code": self.code.value}
