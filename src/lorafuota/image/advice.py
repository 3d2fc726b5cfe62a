"""Whether an image should travel whole: the one-megabyte rule and the delta's figures."""

from __future__ import annotations

from typing import Final

from ..errors import require_int

__all__ = ["MEGABYTE", "advise"]

MEGABYTE: Final = 1_000_000
"""Octets; the most that large network servers take as an image."""

_MUCH_SMALLER: Final = 2


def advise(size: int, delta: int | None = None) -> tuple[str, ...]:
    """Return what is to be said about the size of an update, in sentences with figures.

    Args:
        size: Octets of the full image, signed.
        delta: Octets of the delta, signed, if there is one.

    Raises:
        FieldError: A size is not positive.
    """
    require_int("advise", "size", size, 1, 1 << 40)
    if delta is not None:
        require_int("advise", "delta", delta, 1, 1 << 40)
    said = []
    if size > MEGABYTE:
        what = "send a delta" if delta is None else "send the delta"
        said.append(
            f"the image has {size:,} octets, more than the {MEGABYTE:,} "
            f"that large network servers take: {what}"
        )
    if delta is not None and delta > MEGABYTE:
        said.append(
            f"the delta has {delta:,} octets, more than the {MEGABYTE:,} "
            "that large network servers take"
        )
    if delta is not None and delta * _MUCH_SMALLER <= size:
        share = 100 * delta / size
        said.append(
            f"the delta has {delta:,} octets, {share:.0f} % of the image's {size:,}: "
            f"send it to the devices that run its base, and save {size - delta:,} octets"
        )
    elif delta is not None:
        said.append(
            f"the delta has {delta:,} octets beside the image's {size:,}: "
            "hardly smaller, and the image suits every device"
        )
    return tuple(said)
