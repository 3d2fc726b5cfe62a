"""Data blocks (TS004): an image made ready to be cut, and the checks on what comes out again.

image -> pad to nb_frag * frag_size -> block -> fragments
block -> cut the padding off -> image -> check the MIC (version 2)
"""

from __future__ import annotations

import dataclasses
from typing import Final, Self, final

from .crypto import data_block_mic, verify_data_block_mic
from .errors import Described, FieldError
from .fec.encoder import FragEncoder
from .fec.variant import ParityVariant
from .types import BytesLike, DataBlockIntKey

__all__ = ["MAX_FRAG_SIZE", "MAX_NB_FRAG", "DataBlock"]

MAX_NB_FRAG: Final = 16383
"""Fragments in the longest block; the fragment number has 14 bits, and parity needs some too."""

MAX_FRAG_SIZE: Final = 255
"""Octets in the largest fragment the field can hold; data rates carry at most 239."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class DataBlock:
    """An image, how it is cut, and what the set-up says about it.

    Attributes:
        image: The octets to deliver, 1 to 16383 * frag_size of them.
        frag_size: Octets in a fragment, 1 to 255.
        descriptor: The 4 octets of Descriptor as they travel; free for the application.
    """

    image: bytes = dataclasses.field(repr=False)
    frag_size: int
    descriptor: bytes = bytes(4)

    def __post_init__(self) -> None:
        """Check that the image can be sent.

        Raises:
            FieldError: The image is empty or needs more fragments than the 14-bit index has, or
                *frag_size* or *descriptor* does not fit.
        """
        if not 1 <= self.frag_size <= MAX_FRAG_SIZE:
            raise FieldError("DataBlock", "frag_size", self.frag_size, f"1..{MAX_FRAG_SIZE} octets")
        if not 1 <= len(self.image) <= MAX_NB_FRAG * self.frag_size:
            most = MAX_NB_FRAG * self.frag_size
            expected = f"1..{most} octets ({MAX_NB_FRAG} fragments of {self.frag_size})"
            size = Described(f"{len(self.image)} octets")
            raise FieldError("DataBlock", "image", size, expected)
        if len(self.descriptor) != 4:
            raise FieldError("DataBlock", "descriptor", self.descriptor, "4 octets")

    @classmethod
    def of(cls, image: BytesLike, *, frag_size: int, descriptor: BytesLike = bytes(4)) -> Self:
        """Take any bytes-like image and descriptor.

        Raises:
            FieldError: As for the constructor.
        """
        return cls(bytes(image), frag_size, bytes(descriptor))

    @property
    def nb_frag(self) -> int:
        """NbFrag: fragments before coding."""
        return -(-len(self.image) // self.frag_size)

    @property
    def padding(self) -> int:
        """Padding: zero octets behind the image in the last fragment, less than frag_size."""
        return self.nb_frag * self.frag_size - len(self.image)

    @property
    def padded(self) -> bytes:
        """The image with its padding: what is cut into fragments."""
        return self.image + bytes(self.padding)

    @property
    def max_parity(self) -> int:
        """Coded fragments that fit the 14-bit fragment number."""
        return MAX_NB_FRAG - self.nb_frag

    def encoder(self, variant: ParityVariant) -> FragEncoder:
        """Return what makes the fragments."""
        return FragEncoder(self.padded, frag_size=self.frag_size, variant=variant)

    def mic(self, key: DataBlockIntKey, *, session_cnt: int, frag_index: int) -> bytes:
        """Return the MIC for one device and session (TS004-2.0.0).

        Raises:
            FieldError: A number is out of range.
        """
        return data_block_mic(
            key,
            self.image,
            session_cnt=session_cnt,
            frag_index=frag_index,
            descriptor=self.descriptor,
        )

    def verify(
        self, key: DataBlockIntKey, mic: bytes, *, session_cnt: int, frag_index: int
    ) -> None:
        """Check the MIC of a received block, in constant time (TS004-2.0.0).

        Raises:
            IntegrityError: The block, its length, or what the set-up said about it has another MIC.
            FieldError: A number is out of range, or *mic* is not 4 octets.
        """
        verify_data_block_mic(
            key,
            self.image,
            session_cnt=session_cnt,
            frag_index=frag_index,
            descriptor=self.descriptor,
            mic=mic,
        )
