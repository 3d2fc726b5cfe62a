"""Whatever takes a key refuses octets, text and keys of another class, and does not repeat them.

The public functions and constructors that take a key are found by their annotations, so that a new
one without a row in :data:`CALLS` fails here.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pathlib
import random
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lorafuota import crypto
from lorafuota.campaign.config import CampaignConfig, GroupConfig, Member
from lorafuota.campaign.engine import FuotaCampaign
from lorafuota.campaign.group import key_check
from lorafuota.campaign.roster import Roster
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.observer import Observer
from lorafuota.conformance.run import run_device_checks
from lorafuota.conformance.serversubject import DeviceEntry, GroupOrder
from lorafuota.conformance.subject import About, DeviceRequest, PowerOn, Reply
from lorafuota.datablock import DataBlock
from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.case import Known
from lorafuota.dissect.framecrypto import cmacs, identity, keystream
from lorafuota.dissect.joins import RootKeys, accept_mic
from lorafuota.dissect.lorawan11 import SessionKeys
from lorafuota.dissect.mckey import Way
from lorafuota.dissect.rootkeys import Root
from lorafuota.errors import FieldError, IntegrityError
from lorafuota.fec.variant import ParityVariant
from lorafuota.link import McReceiver, McSender, build_mc_downlink
from lorafuota.plan import PlanRequest, make_plan
from lorafuota.plan.windows import group_config
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice, FragServer
from lorafuota.session.multicast import McDevice, McGroupServer
from lorafuota.session.profile import frag_profile, mc_profile
from lorafuota.session.stacks import device_profile
from lorafuota.testing.peers import ReferenceDevice
from lorafuota.types import (
    UPLINK,
    AppKey,
    AppSKey,
    DataBlockIntKey,
    DevAddr,
    DevEUI,
    FNwkSIntKey,
    GenAppKey,
    Key,
    McAppSKey,
    McKEKey,
    McKey,
    McNwkSKey,
    McRootKey,
    NwkKey,
    NwkSEncKey,
    NwkSKey,
    SNwkSIntKey,
    require_key,
)

SECRET = bytes.fromhex("c0ffee00baddcafe5eedfacedeadbeef")
KINDS: tuple[type[Key], ...] = (
    GenAppKey,
    AppKey,
    McRootKey,
    McKEKey,
    McKey,
    McAppSKey,
    McNwkSKey,
    DataBlockIntKey,
    NwkSKey,
    AppSKey,
    FNwkSIntKey,
    SNwkSIntKey,
    NwkSEncKey,
    NwkKey,
)
ADDRESS = DevAddr(7)
BLOCK = DataBlock(b"x", 1)
NUMBERS: dict[str, Any] = {"session_cnt": 0, "frag_index": 0}
RECEIVER: dict[str, Any] = {"min_mc_fcnt": 0, "max_mc_fcnt": 9, "max_inclusive": True}
SENDER: dict[str, Any] = {"next_fcnt": 0, "max_mc_fcnt": 9}
FRAME: dict[str, Any] = {"mc_addr": ADDRESS, "fcnt": 0}
GROUP: dict[str, Any] = {
    "name": "g",
    "mc_addr": ADDRESS,
    "parity": ParityVariant.V1,
    "dl_freq_hz": 869_525_000,
    "dr": 0,
    "frame_seconds": 1.0,
    "spacing_seconds": 2.0,
}
SESSION_KEYS: dict[str, Any] = {
    "mc_app_s_key": McAppSKey(bytes(16)),
    "mc_nwk_s_key": McNwkSKey(bytes(16)),
}
_receiver = McReceiver(mc_addr=ADDRESS, **SESSION_KEYS, **RECEIVER)
_sender = McSender(mc_addr=ADDRESS, **SESSION_KEYS, **SENDER)


def _group_server() -> McGroupServer:
    return McGroupServer(mc_addr=ADDRESS, mc_key=McKey(bytes(16)), max_mc_fcnt=9)


_campaign = CampaignConfig(
    block=DataBlock(bytes(100), 10),
    members=(Member(dev_eui=DevEUI(1), root_key=AppKey(bytes(16))),),
    groups=(GroupConfig(mc_key=McKey(bytes(16)), **GROUP),),
)
_roster = Roster(_campaign, None)
_plan = make_plan(PlanRequest(image_octets=1_000))


def _rekey(mc_key: McKey) -> None:
    """Give a group of a running campaign another key."""
    campaign = FuotaCampaign(_campaign)
    campaign.start(now=0.0)
    campaign.rekey_group("g", mc_key, now=0.0)


class _Deaf:
    """A device under test that does nothing."""

    about = About(name="deaf", versions={})

    def exchange(self, request: DeviceRequest) -> Reply:
        return Reply()


_power_on: dict[str, Any] = {
    "time": 0.0,
    "factory": True,
    "clock_known": True,
    "dev_eui": DevEUI(1),
    "dev_addr": ADDRESS,
}


def _address_keys(*, address: DevAddr, mic_key: Any, payload_key: Any) -> AddressKeys:
    """A key of a device has the other key of a device beside it."""
    if isinstance(mic_key, NwkSKey) and isinstance(payload_key, McAppSKey):
        payload_key = AppSKey(bytes(16))
    elif isinstance(payload_key, AppSKey) and isinstance(mic_key, McNwkSKey):
        mic_key = NwkSKey(bytes(16))
    return AddressKeys(address=address, mic_key=mic_key, payload_key=payload_key)


Call = tuple[Callable[..., object], dict[str, Any]]
_order: dict[str, Any] = {
    "frag_version": 1,
    "mc_addr": ADDRESS,
    "max_mc_fcnt": 9,
    "device_class": "C",
    "dl_freq_hz": 869_525_000,
    "dr": 0,
    "frame_seconds": 1.0,
    "spacing_seconds": 2.0,
}
CALLS: dict[str, Call] = {
    "conformance.serversubject.DeviceEntry": (
        DeviceEntry,
        {"dev_eui": DevEUI(1), "dev_addr": ADDRESS},
    ),
    "conformance.serversubject.GroupOrder": (GroupOrder, _order),
    "conformance.observer.Observer.add_key": (Observer({}).add_key, {"mc_addr": ADDRESS}),
    "conformance.subject.PowerOn": (PowerOn, _power_on),
    "conformance.devicepeer.DevicePeer": (DevicePeer, {"subject": _Deaf(), "seed": "s"}),
    "conformance.run.run_device_checks": (
        run_device_checks,
        {"checks": (), "subject": _Deaf()},
    ),
    "dissect.case.Known": (Known, {}),
    "dissect.mckey.Way": (Way, {"symptom": None, "says": ""}),
    "dissect.rootkeys.Root": (Root, {"mistake": ""}),
    "testing.peers.ReferenceDevice": (ReferenceDevice, {}),
    "crypto.aes128_encrypt": (crypto.aes128_encrypt, {"blocks": bytes(16)}),
    "crypto.aes128_decrypt": (crypto.aes128_decrypt, {"blocks": bytes(16)}),
    "crypto.aes128_cmac": (crypto.aes128_cmac, {}),
    "crypto.derive_mc_root_key": (crypto.derive_mc_root_key, {}),
    "crypto.derive_mc_ke_key": (crypto.derive_mc_ke_key, {}),
    "crypto.wrap_mc_key": (
        crypto.wrap_mc_key,
        {"mc_ke_key": McKEKey(bytes(16)), "mc_key": McKey(bytes(16))},
    ),
    "crypto.unwrap_mc_key": (crypto.unwrap_mc_key, {"mc_key_encrypted": bytes(16)}),
    "crypto.derive_mc_app_s_key": (crypto.derive_mc_app_s_key, {"mc_addr": ADDRESS}),
    "crypto.derive_mc_nwk_s_key": (crypto.derive_mc_nwk_s_key, {"mc_addr": ADDRESS}),
    "crypto.derive_data_block_int_key": (crypto.derive_data_block_int_key, {}),
    "crypto.data_block_mic": (
        crypto.data_block_mic,
        {"data": b"x", "descriptor": bytes(4), **NUMBERS},
    ),
    "crypto.verify_data_block_mic": (
        crypto.verify_data_block_mic,
        {"data": b"x", "descriptor": bytes(4), "mic": bytes(4), **NUMBERS},
    ),
    "crypto.crypt_mc_frm_payload": (crypto.crypt_mc_frm_payload, {"payload": b"", **FRAME}),
    "crypto.mc_frame_mic": (crypto.mc_frame_mic, {"message": b"", **FRAME}),
    "crypto.verify_mc_frame_mic": (
        crypto.verify_mc_frame_mic,
        {"message": b"", "mic": bytes(4), **FRAME},
    ),
    "datablock.DataBlock.mic": (BLOCK.mic, NUMBERS),
    "datablock.DataBlock.verify": (BLOCK.verify, {"mic": bytes(4), **NUMBERS}),
    "link.build_mc_downlink": (
        build_mc_downlink,
        {"payload": b"", "fport": 1, **FRAME, **SESSION_KEYS},
    ),
    "link.McReceiver": (McReceiver, {"mc_addr": ADDRESS, **SESSION_KEYS, **RECEIVER}),
    "link.McReceiver.from_mc_key": (McReceiver.from_mc_key, {"mc_addr": ADDRESS, **RECEIVER}),
    "link.McReceiver.from_plain": (
        McReceiver.from_plain,
        {"plain": _receiver.to_plain(), **SESSION_KEYS},
    ),
    "link.McSender": (McSender, {"mc_addr": ADDRESS, **SESSION_KEYS, **SENDER}),
    "link.McSender.from_mc_key": (McSender.from_mc_key, {"mc_addr": ADDRESS, **SENDER}),
    "link.McSender.from_plain": (
        McSender.from_plain,
        {"plain": _sender.to_plain(), **SESSION_KEYS},
    ),
    "session.device.FuotaDevice.from_profile": (
        FuotaDevice.from_profile,
        {"profile": device_profile("documents v1"), "rng": random.Random(1)},
    ),
    "session.fragmentation.FragDevice": (
        FragDevice,
        {"profile": frag_profile(1), "rng": random.Random(1)},
    ),
    "session.fragserver.FragServer": (FragServer, {"profile": frag_profile(1), "block": BLOCK}),
    "session.multicast.McDevice": (McDevice, {"profile": mc_profile(1)}),
    "session.groupserver.McGroupServer": (
        McGroupServer,
        {"mc_addr": ADDRESS, "max_mc_fcnt": 9},
    ),
    "session.groupserver.McGroupServer.setup_req": (
        _group_server().setup_req,
        {"mc_group_id": 0},
    ),
    "campaign.config.Member": (Member, {"dev_eui": DevEUI(1)}),
    "campaign.config.GroupConfig": (GroupConfig, GROUP),
    "campaign.engine.FuotaCampaign.rekey_group": (_rekey, {}),
    "campaign.group.key_check": (key_check, {}),
    "campaign.roster.Roster.check_key": (
        _roster.check_key,
        {"group": _roster.groups["g"], "mc_addr": ADDRESS},
    ),
    "dissect.addresskeys.AddressKeys": (_address_keys, {"address": ADDRESS}),
    "dissect.addresskeys.AddressKeys.from_mc_key": (AddressKeys.from_mc_key, {"mc_addr": ADDRESS}),
    "dissect.framecrypto.cmacs": (cmacs, {"firsts": bytes(16), "message": b"x"}),
    "dissect.framecrypto.keystream": (
        keystream,
        {"octets": b"x", "middle": identity(UPLINK, ADDRESS, 0)},
    ),
    "dissect.joins.RootKeys": (RootKeys, {"dev_eui": DevEUI(1)}),
    "dissect.joins.accept_mic": (accept_mic, {"message": bytes(13)}),
    "dissect.lorawan11.SessionKeys": (SessionKeys, {"address": ADDRESS}),
    "plan.plan.Plan.group_config": (_plan.group_config, {"mc_addr": ADDRESS}),
    "plan.windows.group_config": (
        group_config,
        {"request": _plan.request, "radio": _plan.radio, "mc_addr": ADDRESS},
    ),
}
NO_SINGLE_CLASS = {
    "types.require_key",
    "types.Key",
    "campaign.document.config_from_json",
    "testing.devicemachine.DeviceMachine.new_device",
}
"""The check itself; a key compared with a key; many keys at once, with tests of its own; written
by whoever subclasses the machine."""


def parameters(function: Any) -> dict[str, tuple[type[Key], ...]]:
    """Return the arguments of a function that are keys, with the classes they may have."""
    hints = inspect.get_annotations(function.__init__ if inspect.isclass(function) else function)
    found: dict[str, tuple[type[Key], ...]] = {}
    classes: tuple[type[Key], ...] = (Key, *KINDS)
    for name, hint in hints.items():
        words = set(re.findall(r"\w+", str(hint)))
        kinds = tuple(kind for kind in classes if kind.__name__ in words)
        if kinds and name != "return":
            found[name] = kinds
    return found


def public() -> Iterator[tuple[str, Any]]:
    """Every public function, constructor and method, by module and name."""
    listed = json.loads((pathlib.Path(__file__).parents[1] / "public_api.json").read_text())
    for module in sorted(listed):
        if module.startswith("lorafuota.cli"):
            continue
        found = importlib.import_module(module)
        for name in found.__all__:
            thing = getattr(found, name)
            if getattr(thing, "__module__", None) != module:
                continue  # told where it is defined
            where = f"{module.removeprefix('lorafuota.')}.{name}"
            if inspect.isfunction(thing):
                yield where, thing
            elif inspect.isclass(thing) and not issubclass(thing, Key):
                yield where, thing
                for method, member in vars(thing).items():
                    plain = getattr(member, "__func__", member)
                    if not method.startswith("_") and inspect.isfunction(plain):
                        yield f"{where}.{method}", plain


TAKES_KEYS = {where: found for where, thing in public() if (found := parameters(thing))}
ROWS = [(where, field) for where in TAKES_KEYS if where in CALLS for field in TAKES_KEYS[where]]


def test_every_public_function_that_takes_a_key_is_in_the_table() -> None:
    assert set(TAKES_KEYS) - NO_SINGLE_CLASS == set(CALLS)
    assert sum(map(len, TAKES_KEYS.values())) >= 38


def right(where: str, field: str) -> dict[str, Any]:
    """Arguments with which the call is right."""
    _, arguments = CALLS[where]
    keys = {name: kinds[0](SECRET) for name, kinds in TAKES_KEYS[where].items()}
    assert field in keys
    return {**keys, **{name: value for name, value in arguments.items() if name not in keys}}


@pytest.mark.parametrize(("where", "field"), ROWS, ids=[f"{a}({b})" for a, b in ROWS])
def test_octets_text_and_other_keys_are_refused_and_not_repeated(where: str, field: str) -> None:
    function, _ = CALLS[where]
    allowed = TAKES_KEYS[where][field]
    wrong: list[object] = [SECRET, bytearray(SECRET), SECRET.hex(), int.from_bytes(SECRET)]
    wrong += [kind(SECRET) for kind in KINDS if not issubclass(kind, allowed)]
    for value in wrong:
        with pytest.raises(FieldError) as caught:
            function(**{**right(where, field), field: value})
        error = caught.value
        shown = "".join((*traceback.format_exception(error), repr(error), repr(error.args)))
        assert type(value).__name__ in str(error)
        for leak in (SECRET.hex(), repr(SECRET)[2:-1], str(int.from_bytes(SECRET))):
            assert leak not in shown


@pytest.mark.parametrize(("where", "field"), ROWS, ids=[f"{a}({b})" for a, b in ROWS])
def test_a_key_of_the_right_class_is_taken(where: str, field: str) -> None:
    function, _ = CALLS[where]
    for kind in TAKES_KEYS[where][field]:
        try:
            function(**{**right(where, field), field: kind(SECRET)})
        except IntegrityError:
            assert "verify" in where  # of a MIC that is four zeros


def test_the_check_names_what_it_wants() -> None:
    key = McKey(SECRET)
    assert require_key("f", "k", key, McKey, AppKey) is key
    with pytest.raises(FieldError) as caught:
        require_key("f", "k", key, GenAppKey, AppKey)
    assert str(caught.value) == "f.k = McKey: expected a GenAppKey or a AppKey"
