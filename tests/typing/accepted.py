"""What a type checker must accept.  Never run; mypy reads it."""

from __future__ import annotations

import random
from typing import assert_never, assert_type

from hypothesis.strategies import SearchStrategy

import lorafuota
from lorafuota.crypto import derive_mc_root_key
from lorafuota.datablock import DataBlock
from lorafuota.fec.decoder import Fed, FragDecoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v1, v2
from lorafuota.multicastsetup.v2 import McClassCSessionAns, McGroup
from lorafuota.session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    DeleteImage,
    Dropped,
    ListenClassB,
    ListenClassC,
    Reboot,
    Rejected,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from lorafuota.session.fragmentation import FragDevice
from lorafuota.session.profile import frag_profile
from lorafuota.testing.arrivals import Arrivals, arrivals
from lorafuota.testing.blocks import blocks
from lorafuota.testing.channel import Channel
from lorafuota.testing.hostile import Hostile, hostile
from lorafuota.testing.peers import DeviceUnderTest, ReferenceDevice
from lorafuota.testing.sessions import Session, channels, sessions
from lorafuota.testing.strategies import keys, payloads, records
from lorafuota.types import AppKey, DevAddr, GenAppKey, McRootKey
from lorafuota.wire import Command

fragment = v1.DataFragment(n=1, frag_index=0, payload=b"")
assert_type(fragment.n, int)
assert_type(fragment.payload, bytes)
assert_type(v2.FragSessionSetupAns.decode(b"\x02\x40"), v2.FragSessionSetupAns)
assert_type(v2.FragSessionSetupAns.decode(b"\x02\x40").errors, v2.SetupError)
assert_type(McGroup(mc_group_id=0, mc_addr=DevAddr(1)).mc_addr, DevAddr)
assert_type(McClassCSessionAns.decode(b"\x04\x20").time_to_start, int | None)
assert_type(derive_mc_root_key(GenAppKey(bytes(16))), McRootKey)
assert_type(derive_mc_root_key(AppKey(bytes(16))), McRootKey)
decoder = FragDecoder(nb_frag=1, frag_size=1, variant=ParityVariant.V2)
assert_type(decoder.feed(1, b"\x00"), Fed)
FragDevice(frag_profile(2), rng=random.Random(0), root_key=GenAppKey(bytes(16)))
fragmentation = lorafuota.package("fragmentation", 2)
assert_type(records(v1.DataFragment, n=1), SearchStrategy[v1.DataFragment])
assert_type(payloads(fragmentation, lorafuota.UPLINK), SearchStrategy[list[Command]])
assert_type(hostile(fragmentation, lorafuota.UPLINK), SearchStrategy[Hostile])
assert_type(keys(GenAppKey), SearchStrategy[GenAppKey])
assert_type(blocks(nb_frag=5), SearchStrategy[DataBlock])
assert_type(arrivals(5, ParityVariant.V2), SearchStrategy[Arrivals])
assert_type(sessions(2), SearchStrategy[Session])
assert_type(channels(), SearchStrategy[Channel])
subject: DeviceUnderTest = ReferenceDevice(GenAppKey(bytes(16)))


def image_size(req: v1.FragSessionSetupReq | v2.FragSessionSetupReq) -> int:
    return req.nb_frag * req.frag_size - req.padding


def commands(payload: bytes) -> list[Command]:
    parsed = lorafuota.parse("fragmentation", 2, lorafuota.UPLINK, payload)
    return [one for one in parsed if isinstance(one, Command)]


def owner(action: Action) -> str:
    match action:
        case Store() | StoreSessionCnt():
            return "flash"
        case Send() | BlockReceived() | BlockFailed() | DeleteImage() | Reboot():
            return "do"
        case ListenClassB() | ListenClassC() | StopListening():
            return "radio"
        case Rejected() | Dropped():
            return "log"
        case _:
            assert_never(action)
