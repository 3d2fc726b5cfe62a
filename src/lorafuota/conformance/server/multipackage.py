"""TS007: devices that are asked for several packages at once, on FPort 225."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable

from ...multipackage.commandset import CommandSet, read_command_set
from ...multipackage.v1 import DevPackageAns, DevPackageReq, MultiPackBufferReq, PackageInfo
from ...package import PackageVersionReq
from ...session.stacks import device_profile
from ..check import Catalogue, Failed, Severity
from ..fleetdevice import Air, FleetDevice
from ..serverpeer import ServerPeer

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_PACKAGE = "multipackage"
_FPORT = 225
_PIECE = 0x02
"""CID of MultiPackBufferFrag; a whole buffer never begins with it."""


def _fleet(peer: ServerPeer, count: int = 2, *, max_payload: int = 242) -> list[FleetDevice]:
    peer.draw_image()
    profile = peer.profile(firmware=True, sets=True)
    return [peer.make_device(profile=profile, max_payload=max_payload) for _ in range(count)]


def _updated(peer: ServerPeer, fleet: list[FleetDevice]) -> None:
    peer.begin(firmware=True)
    peer.finish()
    peer.expect_updated(fleet)


def _sets(
    peer: ServerPeer, device: FleetDevice
) -> list[tuple[bytes, CommandSet | MultiPackBufferReq]]:
    """Return what was sent to a device on FPort 225."""
    return [
        (one.payload, read_command_set(one.payload, device.packages.packages))
        for one in peer.observer.sent
        if one.fport == _FPORT and one.dev_eui == device.entry.dev_eui
    ]


@check(_PACKAGE, (1,), "served", clause="TS007, 1: a command may come either way")
def served(peer: ServerPeer) -> None:
    """Devices that speak TS007 are updated, whichever way they are spoken to."""
    _updated(peer, _fleet(peer))


@check(_PACKAGE, (1,), "well-formed", clause="TS007, 2: downlink format")
def well_formed(peer: ServerPeer) -> None:
    """What goes to FPort 225 is a command set with its token, or MultiPackBufferReq without one."""
    fleet = _fleet(peer, max_payload=20)
    _updated(peer, fleet)
    for device in fleet:
        for payload, one in _sets(peer, device):
            if isinstance(one, MultiPackBufferReq):
                continue
            if one.leftover is not None or not one.commands:
                raise Failed(f"{payload.hex(' ')} is no command set")
            if payload[-1] & 0xFC:
                raise Failed(f"the reserved bits of the token 0x{payload[-1]:02X} are set")
            if payload != one.encode():
                raise Failed(f"{payload.hex(' ')} is read as {one}")


@check(
    _PACKAGE,
    (1,),
    "token-changes",
    clause="TS007, 2: the token tells sets apart",
    severity=Severity.RECOMMENDED,
)
def token_changes(peer: ServerPeer) -> None:
    """Two command sets that follow each other have different tokens.

    Otherwise the late answer to the first is taken for the answer to the second.
    """
    fleet = _fleet(peer)
    _updated(peer, fleet)
    for device in fleet:
        found = [one for _, one in _sets(peer, device) if isinstance(one, CommandSet)]
        for earlier, later in itertools.pairwise(found):
            if earlier.token == later.token and earlier.commands != later.commands:
                raise Failed(f"two sets with other commands share token {later.token}")


@check(_PACKAGE, (1,), "pieces", clause="TS007, 4.3: MultiPackBufferFrag")
def pieces(peer: ServerPeer) -> None:
    """A device whose uplinks carry eleven octets answers in pieces, and is updated."""
    _updated(peer, _fleet(peer, max_payload=11))


def _lose_piece(device: FleetDevice, which: int) -> None:
    """Have one piece of the first buffer not arrive, counted from 0."""
    place = [-1]
    before = device.sends

    def sends(air: Air) -> Iterable[Air]:
        if air[1] == _FPORT and air[2][:1] == bytes((_PIECE,)):
            place[0] += 1
            if place[0] == which:
                return ()
        return before(air)

    device.sends = sends


@check(_PACKAGE, (1,), "piece-lost", clause="TS007, 5: gap, MultiPackBufferReq")
def piece_lost(peer: ServerPeer) -> None:
    """A piece that is lost, the first, one between or the last, is made good."""
    fleet = _fleet(peer, 3, max_payload=11)
    for which, device in enumerate(fleet):
        _lose_piece(device, which)
    _updated(peer, fleet)


@check(_PACKAGE, (1,), "pieces-disordered", clause="TS007, 5: place at BaseByte")
def pieces_disordered(peer: ServerPeer) -> None:
    """Pieces that overtake each other, and come twice, are put together all the same."""
    fleet = _fleet(peer, max_payload=11)
    for device in fleet:
        turn = [0]

        def sends(air: Air, turn: list[int] = turn) -> Iterable[Air]:
            if air[1] != _FPORT:
                return [air]
            turn[0] += 1
            wait = 25.0 if turn[0] % 2 else 0.0
            return [(air[0] + wait, air[1], air[2]), (air[0] + wait + 1.0, air[1], air[2])]

        device.sends = sends
    _updated(peer, fleet)


@check(
    _PACKAGE,
    (1,),
    "pieces-suffice",
    clause="TS007, 5: place at BaseByte",
    severity=Severity.RECOMMENDED,
    needs=["asks-versions"],
)
def pieces_suffice(peer: ServerPeer) -> None:
    """What a device told in pieces, the second before the first, is not asked for once more."""
    fleet = _fleet(peer, max_payload=11)
    for device in fleet:
        turn = [0]

        def sends(air: Air, turn: list[int] = turn) -> Iterable[Air]:
            if air[1] != _FPORT:
                return [air]
            turn[0] += 1
            return [(air[0] + (15.0 if turn[0] == 1 else 0.0), air[1], air[2])]

        device.sends = sends
    _updated(peer, fleet)
    if any(peer.sent(DevPackageReq, one) for one in fleet) and peer.sent(PackageVersionReq):
        raise Failed("a version was asked for that DevPackageAns had told")


@check(_PACKAGE, (1,), "stale-token", clause="TS007, 5: token differs, ignore")
def stale_token(peer: ServerPeer) -> None:
    """An answer with another token is about another set, and is not believed.

    Here it says that the device has no TS004 at all.
    """
    fleet = _fleet(peer)
    nothing = DevPackageAns(
        nb_total_packages=1,
        packages=(PackageInfo(package_identifier=0, package_version=1, port=_FPORT),),
    ).encode()

    for device in fleet:

        def sends(air: Air) -> Iterable[Air]:
            if air[1] != _FPORT or air[2][:1] == bytes((_PIECE,)):
                return [air]
            other = (air[2][-1] + 1) % 4
            return [(air[0], _FPORT, nothing + bytes((other,))), air]

        device.sends = sends
    _updated(peer, fleet)


@check(_PACKAGE, (1,), "token-rfu", clause="TS007, 6: Renesas and RadioLib echo the whole octet")
def token_rfu(peer: ServerPeer) -> None:
    """Reserved bits in the token of an answer are ignored."""
    fleet = _fleet(peer)
    for device in fleet:
        device.sends = lambda air: (
            [(air[0], air[1], air[2][:-1] + bytes((air[2][-1] | 0x54,)))]
            if air[1] == _FPORT
            else [air]
        )
    _updated(peer, fleet)


@check(_PACKAGE, (1,), "answer-lost", clause="TS007, 5: no uplink at all")
def answer_lost(peer: ServerPeer) -> None:
    """Answers to a command set that are lost are fetched, or the set is sent again."""
    fleet = _fleet(peer)
    for device in fleet:
        left = [2]

        def sends(air: Air, left: list[int] = left) -> Iterable[Air]:
            if air[1] == _FPORT and left[0]:
                left[0] -= 1
                return ()
            return [air]

        device.sends = sends
    _updated(peer, fleet)


@check(
    _PACKAGE,
    (1,),
    "silent",
    clause="TS007, 1: packages keep their own ports",
    severity=Severity.RECOMMENDED,
)
def silent(peer: ServerPeer) -> None:
    """A device whose answers on FPort 225 never arrive is spoken to on its packages' own ports."""
    fleet = _fleet(peer)
    for device in fleet:
        device.sends = lambda air: () if air[1] == _FPORT else [air]
    _updated(peer, fleet)


@check(_PACKAGE, (1,), "buffer-gone", clause="TS007, 4.4: error answer 02 FF")
def buffer_gone(peer: ServerPeer) -> None:
    """A device that has lost its buffer answers 02 FF: the set is sent again, in bounds."""
    fleet = _fleet(peer, max_payload=11)
    for device in fleet:
        left = [3]

        def sends(air: Air, left: list[int] = left) -> Iterable[Air]:
            if air[1] == _FPORT and left[0]:
                left[0] -= 1
                return [(air[0], _FPORT, b"\x02\xff")]
            return [air]

        device.sends = sends
    _updated(peer, fleet)
    for device in fleet:
        if len(_sets(peer, device)) > 60:
            raise Failed(f"{len(_sets(peer, device))} downlinks on FPort 225 to one device")


@check(_PACKAGE, (1,), "noise", clause="TS007, 3; any octets")
def noise(peer: ServerPeer) -> None:
    """Octets on FPort 225 that are no answers do no harm."""
    fleet = _fleet(peer)
    rng = peer.rng
    for device in fleet:
        device.sends = lambda air: [
            (air[0], _FPORT, bytes((0x7F,)) + rng.randbytes(rng.randrange(20))),
            (air[0], _FPORT, bytes((_PIECE, 0x60)) + rng.randbytes(4)),
            air,
        ]
    _updated(peer, fleet)


@check(
    _PACKAGE,
    (1,),
    "ports",
    clause="TS007, 4.2: DevPackageAns tells each package's Port",
    severity=Severity.RECOMMENDED,
    needs=["asks-versions", "unicast"],
)
def ports(peer: ServerPeer) -> None:
    """The ports a device tells of its packages are used."""
    peer.draw_image()
    moved = {"fragmentation": 61, "clocksync": 62}
    one = peer.make_device(
        profile=peer.profile(sets=True),
        fports=moved,
        told=False,
        multicast=False,
    )
    peer.begin()
    peer.finish()
    peer.expect_updated([one])


@check(
    _PACKAGE,
    (1,),
    "basics-modem",
    clause="TS007, 6: LoRa Basics Modem 4.8",
    severity=Severity.QUIRK,
)
def basics_modem(peer: ServerPeer) -> None:
    """A device whose StopByte is exclusive, and that cuts early, is updated."""
    peer.draw_image()
    modem = device_profile("LoRa Basics Modem 4.8")
    plain = peer.profile(firmware=True, sets=True)
    profile = dataclasses.replace(plain, sets=modem.sets)
    fleet = [peer.make_device(profile=profile, max_payload=size) for size in (11, 51, 242)]
    _updated(peer, fleet)
