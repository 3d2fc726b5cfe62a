"""Mistakes a type checker must catch: under --strict an ignore nobody needs is an error."""

from __future__ import annotations

from lorafuota.crypto import derive_mc_ke_key, derive_mc_root_key, wrap_mc_key
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fragmentation.v1 import DataFragment, FragSessionSetupAns
from lorafuota.types import UPLINK, AppKey, GenAppKey, McKEKey, McKey
from lorafuota.wire import Command, command, uint

DataFragment(n=1, frag_index=0)  # type: ignore[call-arg]
DataFragment(n="1", frag_index=0, payload=b"")  # type: ignore[arg-type]
DataFragment(1, 0, b"")  # type: ignore[call-arg]
DataFragment(n=1, frag_index=0, payload=b"").n = 2  # type: ignore[misc]
FragSessionSetupAns(errors=0, frag_index=0)  # type: ignore[arg-type]
FragDecoder(nb_frag=1, frag_size=1, variant="v2")  # type: ignore[arg-type]

derive_mc_ke_key(GenAppKey(bytes(16)))  # type: ignore[arg-type]
derive_mc_root_key(McKey(bytes(16)))  # type: ignore[arg-type]
wrap_mc_key(McKey(bytes(16)), McKey(bytes(16)))  # type: ignore[arg-type]
wrap_mc_key(McKEKey(bytes(16)), AppKey(bytes(16)))  # type: ignore[arg-type]


@command(0x10, UPLINK, size=1)
class Disagrees(Command):
    """Annotation and wire type differ."""

    ready: bool = uint(8)  # type: ignore[assignment]
