"""The keys that open captured frames: of groups by McAddr, of devices by DevAddr, roots by DevEUI.

A ring learns while it reads: counters, confirmed frames, and the session keys of every join whose
join-request and join-accept it sees and has the root key for.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from typing import Final, TypeAlias, final

from ..types import DOWNLINK, UPLINK, DevAddr, DevEUI, Direction
from .addresskeys import AddressKeys
from .joins import HeardRequest, RootKeys
from .lorawan11 import SessionKeys

__all__ = ["FrameKeys", "Joined", "Keyring", "Opened"]

_UPPER: Final = 1 << 16

_CONFIRMED: Final = (4, 5)
"""FType of confirmed frames, up and down."""

_ACK: Final = 0x20

_REMEMBERED: Final = 8
"""Confirmed frames of one side that the other may acknowledge."""

_REQUESTS: Final = 8
"""Join-requests of a device that a join-accept may answer."""

_PATIENCE: Final = 8
"""Searches for an acknowledged counter that may end in vain before no more are made."""


FrameKeys: TypeAlias = AddressKeys | SessionKeys
"""Keys of a group or a LoRaWAN 1.0.x device, or those of a LoRaWAN 1.1 device."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A data frame whose MIC fits.

    Attributes:
        keys: The keys it fits.
        fcnt: The whole counter.
        half: Only half of the MIC was seen to fit (LoRaWAN 1.1).
        note: What was found by trying and what could not be checked; empty if there is nothing.
    """

    keys: FrameKeys
    fcnt: int
    half: bool = False
    note: str = ""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A join-accept that a root key opens.

    Attributes:
        root: The device's root keys.
        clear: The whole frame in the clear.
        address: The DevAddr it gives.
        checked: Its MIC fits; it was not checked otherwise.
        note: What came of it.
    """

    root: RootKeys
    clear: bytes
    address: DevAddr
    checked: bool
    note: str


@final
class Keyring:
    """Keys by address, and the counters seen so far; several keys may share an address."""

    def __init__(self, keys: Iterable[FrameKeys] = (), roots: Iterable[RootKeys] = ()) -> None:
        """Take the keys, in the order they are tried.

        Args:
            keys: Session keys of groups and devices.
            roots: Root keys of devices, for their joins.
        """
        self._roots = tuple(roots)
        self._requests: dict[RootKeys, collections.deque[HeardRequest]] = {}
        self._by_address: dict[int, list[FrameKeys]] = {}
        self._last: dict[tuple[FrameKeys, str], int] = {}
        self._confirmed: dict[tuple[FrameKeys, Direction], collections.deque[int]] = {}
        self._in_vain: collections.Counter[FrameKeys] = collections.Counter()
        for one in keys:
            self._by_address.setdefault(int(one.address), []).append(one)

    def __repr__(self) -> str:
        return f"Keyring({sorted(map(DevAddr, self._by_address))})"

    def knows(self, address: int) -> bool:
        """Tell whether there are keys for an address."""
        return address in self._by_address

    def dev_eui(self, address: int) -> DevEUI | None:
        """Return whose address it is, if that is known."""
        return next((one.dev_eui for one in self._by_address.get(address, ()) if one.dev_eui), None)

    @property
    def has_roots(self) -> bool:
        """Whether there are root keys, for joins."""
        return bool(self._roots)

    def join_request(self, phy: bytes) -> bool | None:
        """Tell whether the MIC of a join-request fits; None if its device's root key is not here.

        The request is remembered for the join-accept that answers it.

        Args:
            phy: A join-request, 23 octets.
        """
        dev_eui = int.from_bytes(phy[9:17], "little")
        roots = [root for root in self._roots if root.dev_eui == dev_eui]
        for root in roots:
            if root.request_fits(phy):
                heard = self._requests.setdefault(root, collections.deque(maxlen=_REQUESTS))
                request = HeardRequest.of(phy)
                if request in heard:
                    heard.remove(request)
                heard.append(request)
                return True
        return False if roots else None

    def join_accept(self, phy: bytes) -> Joined | None:
        """Open a join-accept with the root key that fits, or return None.

        The session keys it gives are derived and opened with from then on.

        Args:
            phy: A join-accept, 17 or 33 octets.
        """
        unchecked = []
        for root in self._roots:
            clear = root.decrypt(phy)
            requests = self._requests.get(root, ())
            if not root.as_1_1(clear):
                if root.accept_fits(clear):
                    return self._join(root, clear, requests)
                continue
            for request in reversed(requests):
                if root.accept_fits(clear, request):
                    return self._join(root, clear, (request,))
            found = root.find_request(clear)
            if found is not None:
                return self._join(root, clear, (found,))
            if not requests and root.join_eui is None and root.plausible(clear):
                unchecked.append((root, clear))
        if len(unchecked) != 1:
            return None
        [(root, clear)] = unchecked
        note = (
            "its MIC is made with JoinEUI and DevNonce of the join-request it answers, which was "
            "not seen"
        )
        return Joined(root=root, clear=clear, address=_given(clear), checked=False, note=note)

    def _join(self, root: RootKeys, clear: bytes, requests: Iterable[HeardRequest]) -> Joined:
        """Derive the session keys of a join; of several requests the last is the likeliest."""
        address, learned = _given(clear), False
        known = self._by_address.setdefault(int(address), [])
        for request in requests:
            keys, learned = root.session(clear, request), True
            if keys not in known:
                known.insert(0, keys)
        if not known:
            del self._by_address[int(address)]
        note = (
            f"the session keys of {address} come from it"
            if learned
            else "its join-request was not seen, so no session keys come from it"
        )
        return Joined(root=root, clear=clear, address=address, checked=True, note=note)

    def open(
        self,
        phy: bytes,
        *,
        direction: Direction,
        fport: int | None = None,
        near: int | None = None,
        tries: int = _UPPER,
    ) -> Opened | None:
        """Return the keys and the whole counter that make the MIC of a data frame fit, or None.

        The counter is remembered, and so are confirmed frames: LoRaWAN 1.1 puts the counter of the
        one that is acknowledged under the MIC.

        Args:
            phy: A data frame, 12 octets or more.
            direction: Who sent it.
            fport: Its port, if it has one; a LoRaWAN 1.1 device counts two kinds of downlinks.
            near: A counter not far below, if one is known; the last one seen of that address is
                tried as well.
            tries: How many upper halves of the counter to try.
        """
        address = int.from_bytes(phy[1:5], "little")
        weak: Opened | None = None
        for one in self._by_address.get(address, ()):
            if one.multicast and direction is not DOWNLINK:
                continue
            last = self._last.get((one, one.counter(direction, fport)), 0)
            for start in dict.fromkeys((last if near is None else near, last)):
                found = self._fit(one, phy, direction, start, tries)
                if found is not None and not found.half:
                    self._remember(found, phy, direction, fport)
                    return found
                weak = weak or found
                if tries >= _UPPER and isinstance(one, AddressKeys):
                    break  # that was every counter there is
        if weak is not None:
            self._confirm(weak, phy, direction)
        return weak

    def _fit(
        self, one: FrameKeys, phy: bytes, direction: Direction, start: int, tries: int
    ) -> Opened | None:
        if isinstance(one, AddressKeys):
            fcnt = one.find_fcnt(phy, direction=direction, near=start, tries=tries)
            return None if fcnt is None else Opened(keys=one, fcnt=fcnt)
        other = DOWNLINK if direction is UPLINK else UPLINK
        fit = one.fit(
            phy,
            direction=direction,
            near=start,
            tries=tries,
            confirmed=tuple(self._confirmed.get((one, other), ())),
            search=self._in_vain[one] < _PATIENCE,
        )
        if fit is None:
            self._in_vain[one] += direction is DOWNLINK and bool(phy[5] & _ACK)
            return None
        return Opened(keys=one, fcnt=fit.fcnt, half=fit.half, note=fit.note)

    def _remember(self, found: Opened, phy: bytes, direction: Direction, fport: int | None) -> None:
        self._last[found.keys, found.keys.counter(direction, fport)] = found.fcnt
        self._confirm(found, phy, direction)

    def _confirm(self, found: Opened, phy: bytes, direction: Direction) -> None:
        """Remember a frame that the other side will acknowledge."""
        if phy[0] >> 5 in _CONFIRMED:
            whose = (found.keys, direction)
            seen = self._confirmed.setdefault(whose, collections.deque(maxlen=_REMEMBERED))
            low = found.fcnt & 0xFFFF
            if low in seen:
                seen.remove(low)
            seen.appendleft(low)


def _given(clear: bytes) -> DevAddr:
    return DevAddr(int.from_bytes(clear[7:11], "little"))
