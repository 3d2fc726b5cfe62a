"""Small types shared by every layer: direction, addresses, and keys that keep their secret."""

from __future__ import annotations

import enum
import hmac
import secrets
from typing import ClassVar, Final, NoReturn, Self, TypeVar, final

from .errors import Described, FieldError

__all__ = [
    "DOWNLINK",
    "UPLINK",
    "AppKey",
    "AppSKey",
    "BytesLike",
    "DataBlockIntKey",
    "DevAddr",
    "DevEUI",
    "Direction",
    "FNwkSIntKey",
    "GenAppKey",
    "Key",
    "LorawanVersion",
    "McAppSKey",
    "McKEKey",
    "McKey",
    "McNwkSKey",
    "McRootKey",
    "NetID",
    "NwkKey",
    "NwkSEncKey",
    "NwkSKey",
    "SNwkSIntKey",
    "require_key",
]

BytesLike = bytes | bytearray | memoryview
"""What public functions take where octets are meant; they hold ``bytes`` inside."""


class Direction(enum.Enum):
    """Who sends a command.  The same identifier means different things up and down."""

    DOWNLINK = "downlink"
    UPLINK = "uplink"


DOWNLINK: Final = Direction.DOWNLINK
UPLINK: Final = Direction.UPLINK


class LorawanVersion(enum.Enum):
    """The link layer a device speaks; decides which root key its multicast keys come from."""

    V1_0 = "1.0.x"
    V1_1 = "1.1"


class _Address(int):
    """An unsigned number shown the way LoRaWAN people write it: upper-case hex, fixed width."""

    __slots__ = ()
    OCTETS: ClassVar[int]

    def __new__(cls, value: int) -> Self:
        """Take a number.

        Raises:
            FieldError: It is negative or needs more octets than the address has.
        """
        if not 0 <= value < 1 << 8 * cls.OCTETS:
            raise FieldError(cls.__name__, "value", value, f"int in 0..2**{8 * cls.OCTETS} - 1")
        return super().__new__(cls, value)

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read hex digits, most significant first, as people and network servers write them.

        Raises:
            FieldError: *text* is not that many hex digits.
        """
        digits = text.removeprefix("0x").removeprefix("0X")
        if len(digits) != 2 * cls.OCTETS or not digits.isalnum():
            raise FieldError(cls.__name__, "text", text, f"{2 * cls.OCTETS} hex digits")
        try:
            return cls(int(digits, 16))
        except ValueError:
            raise FieldError(cls.__name__, "text", text, f"{2 * cls.OCTETS} hex digits") from None

    def __str__(self) -> str:
        return f"{int(self):0{2 * self.OCTETS}X}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(0x{self})"


@final
class DevAddr(_Address):
    """A 32-bit device or multicast group address."""

    __slots__ = ()
    OCTETS = 4


@final
class DevEUI(_Address):
    """A 64-bit device identity."""

    __slots__ = ()
    OCTETS = 8


@final
class NetID(_Address):
    """A 24-bit network identity."""

    __slots__ = ()
    OCTETS = 3


_K = TypeVar("_K", bound="Key")


class Key:
    """A 128-bit secret that does not print itself.

    ``repr``, ``str``, formatting, exceptions and pickling never contain the octets; whoever needs
    them calls :meth:`reveal`.  Keys of different classes are never equal, and comparison takes the
    same time whatever differs.
    """

    __slots__ = ("_octets",)
    _octets: bytes

    def __init__(self, octets: BytesLike) -> None:
        """Take 16 octets.

        Raises:
            FieldError: There are more or fewer; the error names the length only.
        """
        octets = bytes(octets)
        if len(octets) != 16:
            raise FieldError(type(self).__name__, "length", len(octets), "16 octets")
        object.__setattr__(self, "_octets", octets)

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read 32 hex digits, in the order the octets are stored.

        Raises:
            FieldError: *text* is anything else; the error names its length only.
        """
        try:
            octets = bytes.fromhex(text)
        except ValueError:
            octets = b""
        if len(octets) != 16:
            given = Described(f"{len(text)} characters")
            raise FieldError(cls.__name__, "text", given, "32 hex digits") from None
        return cls(octets)

    @classmethod
    def generate(cls) -> Self:
        """Draw a fresh key from the operating system's generator."""
        return cls(secrets.token_bytes(16))

    def reveal(self) -> bytes:
        """Return the 16 octets.  The only way to get at them."""
        return self._octets

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash((type(self), self._octets))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<secret>)"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} does not pickle: store reveal() where keys belong")


@final
class GenAppKey(Key):
    """The root key a LoRaWAN 1.0.x device has for multicast and data blocks, beside its AppKey."""

    __slots__ = ()


@final
class AppKey(Key):
    """The application root key of a LoRaWAN 1.1 device; the key a 1.0.x device joins with."""

    __slots__ = ()


@final
class NwkKey(Key):
    """The network root key of a LoRaWAN 1.1 device, which it joins with."""

    __slots__ = ()


@final
class McRootKey(Key):
    """From GenAppKey or AppKey; wraps nothing itself, makes McKEKey."""

    __slots__ = ()


@final
class McKEKey(Key):
    """Wraps the McKey of every group a device joins; lives as long as the device."""

    __slots__ = ()


@final
class McKey(Key):
    """One multicast group's key, the same in all members."""

    __slots__ = ()


@final
class McAppSKey(Key):
    """Encrypts FRMPayload of a group's downlinks."""

    __slots__ = ()


@final
class McNwkSKey(Key):
    """Computes the MIC of a group's downlinks."""

    __slots__ = ()


@final
class DataBlockIntKey(Key):
    """Computes the MIC of a data block (TS004 version 2); different in every device."""

    __slots__ = ()


@final
class NwkSKey(Key):
    """Computes the MIC of a LoRaWAN 1.0.x device's own frames, and encrypts their port 0."""

    __slots__ = ()


@final
class AppSKey(Key):
    """Encrypts FRMPayload of a device's own frames."""

    __slots__ = ()


@final
class FNwkSIntKey(Key):
    """Computes one half of the MIC of a LoRaWAN 1.1 device's uplinks."""

    __slots__ = ()


@final
class SNwkSIntKey(Key):
    """Computes the other half, and the MIC of downlinks to a LoRaWAN 1.1 device."""

    __slots__ = ()


@final
class NwkSEncKey(Key):
    """Encrypts FOpts and port 0 of a LoRaWAN 1.1 device's frames."""

    __slots__ = ()


def require_key(message: str, field: str, key: object, *kinds: type[_K]) -> _K:
    """Return *key* if it is of one of these classes; the argument check of everything with keys.

    Raises:
        FieldError: It is octets, text or a key of another class; the error names its class only.
    """
    if not isinstance(key, kinds):
        expected = " or ".join(f"a {kind.__name__}" for kind in kinds)
        raise FieldError(message, field, Described(type(key).__name__), expected)
    return key
