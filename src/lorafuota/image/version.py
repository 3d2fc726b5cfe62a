"""An image's version: its 8 octets, its spelling, and which of two is newer, as MCUboot has it.

MCUboot compares major, minor and revision; the build number counts only in a boot loader built with
``MCUBOOT_VERSION_CMP_USE_BUILD_NUMBER``.  The 32 bits that TS006 reports are those three numbers,
so that two versions the boot loader takes for equal are equal on the air too.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from typing import Final, Self, final

from ..errors import FieldError, RollbackError, require_int
from ..types import BytesLike

__all__ = ["ImageVersion", "require_newer"]

_NUMBER: Final = r"(0|[1-9][0-9]{0,9})"
_TEXT: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:\+{_NUMBER})?)?)?", re.ASCII)
_LAYOUT: Final = struct.Struct("<BBHI")


@final
@dataclasses.dataclass(frozen=True, slots=True)
class ImageVersion:
    """A version as an MCUboot header holds it.

    Attributes:
        major: 0 to 255.
        minor: 0 to 255.
        revision: 0 to 65535.
        build: 32 bits.
    """

    major: int
    minor: int = 0
    revision: int = 0
    build: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One does not fit its field.
        """
        require_int("ImageVersion", "major", self.major, 0, 0xFF)
        require_int("ImageVersion", "minor", self.minor, 0, 0xFF)
        require_int("ImageVersion", "revision", self.revision, 0, 0xFFFF)
        require_int("ImageVersion", "build", self.build, 0, 0xFFFFFFFF)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``major.minor.revision+build``, the later parts optional.

        Raises:
            FieldError: *text* is anything else, or a number is too large.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise FieldError("ImageVersion", "text", text, "major.minor.revision+build")
        return cls(*(int(part or 0) for part in found.groups()))

    @classmethod
    def from_fw_version(cls, value: int) -> Self:
        """Undo :attr:`fw_version`; the build number is 0.

        Raises:
            FieldError: *value* is not 32 bits.
        """
        require_int("ImageVersion", "fw_version", value, 0, 0xFFFFFFFF)
        return cls(value >> 24, value >> 16 & 0xFF, value & 0xFFFF)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """Read the 8 octets of a header.

        Raises:
            FieldError: There are more or fewer.
        """
        if len(data) != _LAYOUT.size:
            raise FieldError("ImageVersion", "length", len(data), f"{_LAYOUT.size} octets")
        return cls(*_LAYOUT.unpack(data))

    def encode(self) -> bytes:
        """Return the 8 octets of a header, low octet first."""
        return _LAYOUT.pack(self.major, self.minor, self.revision, self.build)

    @property
    def fw_version(self) -> int:
        """The 32 bits for TS006: major, minor, revision, from the top; without the build number."""
        return self.major << 24 | self.minor << 16 | self.revision

    def is_newer(self, other: ImageVersion, *, build: bool = False) -> bool:
        """Return whether this one comes after *other*.

        Args:
            other: The version compared with.
            build: Let the build number decide between equals, for a boot loader that does.
        """
        return self._key(build) > other._key(build)

    def _key(self, build: bool) -> tuple[int, int, int, int]:
        return self.major, self.minor, self.revision, self.build if build else 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.revision}+{self.build}"


def require_newer(offered: ImageVersion, running: ImageVersion, *, build: bool = False) -> None:
    """Refuse an older version, and the same one again.

    Args:
        offered: Version of the image to install.
        running: Version that runs.
        build: As in :meth:`ImageVersion.is_newer`.

    Raises:
        RollbackError: *offered* is not newer.
    """
    if not offered.is_newer(running, build=build):
        what = "older than" if running.is_newer(offered, build=build) else "the same as"
        raise RollbackError("image", f"version {offered} is {what} the running {running}")
