"""Keys never appear where nobody asked for them (promise S13), in the library as it stands.

Every object that holds a key is made with keys we know.  Everything it can be turned into without
calling :meth:`Key.reveal` is searched for them: ``repr``, ``str``, formatting, JSON, pickles,
tracebacks of every mistake one can make with a key, actions and uplinks.
"""

from __future__ import annotations

import ast
import base64
import binascii
import copy
import dataclasses
import io
import json
import pathlib
import pickle
import pprint
import random
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import lorafuota
from lorafuota import crypto
from lorafuota.crypto import (
    derive_data_block_int_key,
    derive_mc_app_s_key,
    derive_mc_ke_key,
    derive_mc_nwk_s_key,
    derive_mc_root_key,
)
from lorafuota.datablock import DataBlock
from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.joins import RootKeys
from lorafuota.dissect.keyring import Keyring
from lorafuota.dissect.lorawan11 import SessionKeys
from lorafuota.errors import FieldError, FuotaError
from lorafuota.fragmentation.v1 import DataFragment, FragSessionStatusReq
from lorafuota.link import McReceiver, McSender, build_mc_downlink
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice, FragServer
from lorafuota.session.multicast import McDevice, McGroupServer
from lorafuota.session.profile import frag_profile, mc_profile
from lorafuota.session.stacks import device_profile
from lorafuota.simulate import Scenario, Simulation
from lorafuota.types import (
    AppKey,
    AppSKey,
    DataBlockIntKey,
    DevAddr,
    DevEUI,
    FNwkSIntKey,
    GenAppKey,
    Key,
    LorawanVersion,
    McAppSKey,
    McKEKey,
    McKey,
    McNwkSKey,
    McRootKey,
    NwkKey,
    NwkSEncKey,
    SNwkSIntKey,
)

NOW = 1_400_000_000.0
MC_ADDR = DevAddr(0x26011BDA)
GEN_APP_KEY = GenAppKey(bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90"))
APP_KEY = AppKey(bytes.fromhex("0FEDCBA98765432112345678ABCDEF99"))
MC_KEY = McKey(bytes.fromhex("C0FFEE00BADDCAFE5EEDFACEDEADBEEF"))


def derived(root: GenAppKey | AppKey) -> list[Key]:
    mc_root = derive_mc_root_key(root)
    return [root, mc_root, derive_mc_ke_key(mc_root), derive_data_block_int_key(root)]


KEYS: list[Key] = [
    *derived(GEN_APP_KEY),
    *derived(APP_KEY),
    MC_KEY,
    derive_mc_app_s_key(MC_KEY, MC_ADDR),
    derive_mc_nwk_s_key(MC_KEY, MC_ADDR),
]


def forms(octets: bytes) -> Iterator[bytes]:
    """How a key may look when it leaks."""
    for order in (octets, octets[::-1]):
        digits = order.hex()
        yield order
        yield digits.encode()
        yield digits.upper().encode()
        yield order.hex(" ").encode()
        yield order.hex(":").encode()
        for shift in range(3):  # base64 of something that contains it
            encoded = base64.b64encode(bytes(shift) + order)
            yield encoded[4 if shift else 0 : -4]
            yield encoded[4 if shift else 0 : -4].replace(b"+", b"-").replace(b"/", b"_")
        yield repr(order).encode()[2:-1]
        yield ", ".join(map(str, order)).encode()
        yield str(int.from_bytes(order)).encode()


NEEDLES = {form: type(key).__name__ for key in KEYS for form in forms(key.reveal())}


def leaks(haystack: str | bytes) -> list[str]:
    octets = haystack.encode("utf-8", "surrogateescape") if isinstance(haystack, str) else haystack
    return [name for needle, name in NEEDLES.items() if needle in octets]


def test_the_search_finds_a_key_in_every_form() -> None:
    octets = GEN_APP_KEY.reveal()
    for leak in (
        f"key {octets.hex()}",
        f"key {octets.hex().upper()}",
        f"key {octets!r}",
        f"key {list(octets)}",
        base64.b64encode(b"ab" + octets + b"c").decode(),
        base64.urlsafe_b64encode(b"a" + octets).decode(),
        base64.b64encode(octets).decode(),
        pickle.dumps(octets),
        binascii.hexlify(octets),
        json.dumps({"key": octets.hex()}),
    ):
        assert leaks(leak), leak
    assert leaks("nothing to see") == []


# Objects


def fuota_device(version: int, root: GenAppKey | AppKey) -> FuotaDevice:
    """A device in the middle of everything: a group, a window, a session with fragments."""
    device = FuotaDevice.from_profile(
        device_profile(f"documents v{version}"),
        root_key=root,
        rng=random.Random(1),
        clock_known=True,
    )
    group, server = group_server(), frag_server(version, root)
    device.receive(200, group.setup_req(root, mc_group_id=0).encode(), now=NOW)
    req = group.class_c_session_req(
        mc_group_id=0, start=NOW + 9, seconds=9, dl_freq_hz=869_525_000, dr=3
    )
    device.receive(200, req.encode(), now=NOW)
    device.receive(201, server.setup_req.encode(), now=NOW)
    fragment = DataFragment(n=1, frag_index=0, payload=b"0123456789")
    device.receive_frame(group.sender.seal(fragment.encode(), fport=201), now=NOW)
    return device


def group_server() -> McGroupServer:
    return McGroupServer(mc_addr=MC_ADDR, mc_key=MC_KEY, max_mc_fcnt=100)


def frag_server(version: int, root: GenAppKey | AppKey) -> FragServer:
    return FragServer(
        frag_profile(version), DataBlock(bytes(95), 10), mc_group_bit_mask=1, root_key=root
    )


def receiver() -> McReceiver:
    return McReceiver.from_mc_key(MC_KEY, MC_ADDR, min_mc_fcnt=0, max_mc_fcnt=9, max_inclusive=True)


def sender() -> McSender:
    return McSender.from_mc_key(MC_KEY, MC_ADDR, next_fcnt=0, max_mc_fcnt=9)


def holders() -> dict[str, object]:
    """Every kind of object that holds a key, or was made with one."""
    found: dict[str, object] = {f"{type(key).__name__} {at}": key for at, key in enumerate(KEYS)}
    group = AddressKeys.from_mc_key(MC_KEY, MC_ADDR)
    session = SessionKeys(
        address=MC_ADDR,
        f_nwk_s_int_key=FNwkSIntKey(GEN_APP_KEY.reveal()),
        s_nwk_s_int_key=SNwkSIntKey(APP_KEY.reveal()),
        nwk_s_enc_key=NwkSEncKey(MC_KEY.reveal()),
        app_s_key=AppSKey(MC_KEY.reveal()),
    )
    roots = RootKeys(dev_eui=DevEUI(1), app_key=APP_KEY, nwk_key=NwkKey(GEN_APP_KEY.reveal()))
    ring = Keyring([group, session], roots=[roots])
    found |= {"AddressKeys": group, "SessionKeys": session, "RootKeys": roots, "Keyring": ring}
    found |= {"McReceiver": receiver(), "McSender": sender(), "McGroupServer": group_server()}
    for version in (1, 2):
        for root in (GEN_APP_KEY, APP_KEY):
            device = fuota_device(version, root)
            name = f"v{version} {type(root).__name__}"
            found |= {
                f"FuotaDevice {name}": device,
                f"McDevice {name}": device.multicast,
                f"FragDevice {name}": device.fragmentation,
                f"FragServer {name}": frag_server(version, root),
            }
    return found


HOLDERS = holders()
each_holder = pytest.mark.parametrize("name", HOLDERS)
KEEPS_NONE = {name for name in HOLDERS if name.startswith("FragServer")}
"""They sign when they are made and forget the key: pickling is harmless, and must work."""


@each_holder
def test_no_holder_prints_its_key(name: str) -> None:
    holder = HOLDERS[name]
    shown = [repr(holder), str(holder), f"{holder}", f"{holder!s:>40}", f"{[holder]!r}"]
    shown += [pprint.pformat(holder), "%s %r" % (holder, {"x": holder})]  # noqa: UP031
    if hasattr(holder, "__dict__"):
        shown += [repr(vars(holder)), pprint.pformat(vars(holder))]
        for inner in vars(holder).values():
            shown += [repr(inner), str(inner)]
    if dataclasses.is_dataclass(holder) and not isinstance(holder, type):
        shown.append(repr(dataclasses.asdict(holder)))
    assert [leak for text in shown for leak in leaks(text)] == []


@each_holder
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_a_holder_raises_and_leaves_no_octet_of_the_key(name: str, protocol: int) -> None:
    written = io.BytesIO()
    if name in KEEPS_NONE:
        pickle.Pickler(written, protocol).dump(HOLDERS[name])
        assert leaks(written.getvalue()) == []
        return
    with pytest.raises(TypeError, match=r"does not pickle|cannot be pickled") as caught:
        pickle.Pickler(written, protocol).dump(HOLDERS[name])
    assert leaks(written.getvalue()) == []
    assert leaks(str(caught.value)) == []


@each_holder
def test_json_of_a_holder_raises_or_leaves_the_key_out(name: str) -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps(HOLDERS[name])
    assert leaks(str(caught.value)) == []
    shown = json.dumps([HOLDERS[name]], default=repr)
    assert leaks(shown) == []


@each_holder
def test_copies_keep_the_secret_as_well(name: str) -> None:
    twin = copy.deepcopy(HOLDERS[name])
    assert leaks(repr(twin)) == []
    if name not in KEEPS_NONE:
        with pytest.raises(TypeError):
            pickle.dumps(twin)


def test_what_senders_and_receivers_store_has_no_key() -> None:
    for plain in (receiver().to_plain(), sender().to_plain()):
        assert leaks(json.dumps(plain) + repr(plain)) == []


def test_what_a_device_stores_has_no_key_not_even_wrapped_by_one_we_know() -> None:
    for version in (1, 2):
        for root in (GEN_APP_KEY, APP_KEY):
            device = fuota_device(version, root)
            state = device.export(progress=True)
            assert leaks(json.dumps(state) + repr(state)) == []
            fresh = FuotaDevice.from_profile(
                device_profile(f"documents v{version}"), root_key=root, rng=random.Random(1)
            )
            assert leaks(repr(fresh.restore(state, now=NOW))) == []
            damaged = {**state, "group/0": str(state["group/0"])[:-1]}
            with pytest.raises(FieldError) as caught:
                fuota_device(version, root).multicast.restore(damaged, now=NOW)
            assert leaks("".join(traceback.format_exception(caught.value))) == []


def test_what_devices_say_and_do_has_no_key() -> None:
    for version in (1, 2):
        for root in (GEN_APP_KEY, APP_KEY):
            device, group = fuota_device(version, root), group_server()
            requests = [
                (200, group.setup_req(root, mc_group_id=1).encode()),
                (200, b"\x01\x0f"),
                (201, frag_server(version, root).setup_req.encode()),
                (201, FragSessionStatusReq(participants=True, frag_index=0).encode()),
                (225, b"\x01\x00"),
                (200, b"\x02\x00" + MC_KEY.reveal()[:4]),
            ]
            for fport, payload in requests:
                for action in device.receive(fport, payload, now=NOW):
                    assert leaks(repr(action)) == []
                    assert leaks(pickle.dumps(action)) == []
            assert leaks(group.setup_req(root, mc_group_id=0).encode()) == []
            assert leaks(repr(group.setup_req(root, mc_group_id=0))) == []


def test_a_simulation_tells_no_key() -> None:
    for lorawan in LorawanVersion:
        simulation = Simulation(Scenario(image=bytes(500), devices=2, lorawan=lorawan, loss=0.1))
        roots = [simulation.root_key(index) for index in range(2)]
        [group] = [simulation.plan.group(parity) for parity in simulation.plan.parities]
        mc_key = group.mc_key
        secret = [mc_key, *roots, *derived(roots[0]), *derived(roots[1])]
        secret += [derive_mc_app_s_key(mc_key, group.mc_addr)]
        secret += [derive_mc_nwk_s_key(mc_key, group.mc_addr)]
        report = simulation.run()
        things = (simulation, simulation.scenario, simulation.plan, simulation.fleet, group, report)
        texts = [repr(thing) for thing in things]
        texts += [json.dumps(report.to_json()), str(report)]
        found = [
            type(key).__name__
            for key in secret
            for form in forms(key.reveal())
            for text in texts
            if form in text.encode()
        ]
        assert found == []
        with pytest.raises(TypeError, match="does not pickle"):
            pickle.dumps(simulation)


# Mistakes

Mistake = Callable[[], object]


def mistakes() -> dict[str, Mistake]:
    """What people do wrong with keys; every call must raise, without saying the key."""
    raw, text = MC_KEY.reveal(), MC_KEY.reveal().hex()
    block, mc_ke_key = DataBlock(b"x", 1), derive_mc_ke_key(derive_mc_root_key(APP_KEY))
    numbers = {"session_cnt": 0, "frag_index": 0}
    found: dict[str, Mistake] = {}
    for cls in (AppKey, GenAppKey, McKey, McRootKey, McKEKey, McAppSKey, McNwkSKey):
        found |= {
            f"{cls.__name__} too long": partial(cls, raw + b"\0"),
            f"{cls.__name__} of hex octets": partial(cls, text.encode()),
            f"{cls.__name__} of two keys": partial(cls, raw + GEN_APP_KEY.reveal()),
            f"{cls.__name__} from long hex": partial(cls.from_hex, text + "00"),
            f"{cls.__name__} from spoilt hex": partial(cls.from_hex, text + "zz"),
            f"{cls.__name__} from prefixed hex": partial(cls.from_hex, "0x" + text),
            f"{cls.__name__} changed": partial(setattr, cls(raw), "_octets", raw),
        }
    kinds: dict[str, Any] = {"octets": raw, "text": text, "another class": DataBlockIntKey(raw)}
    for kind, wrong in kinds.items():  # what a type checker would refuse
        found |= {
            f"derive_mc_root_key of {kind}": partial(derive_mc_root_key, wrong),
            f"derive_mc_ke_key of {kind}": partial(derive_mc_ke_key, wrong),
            f"derive_mc_app_s_key of {kind}": partial(derive_mc_app_s_key, wrong, MC_ADDR),
            f"derive_mc_nwk_s_key of {kind}": partial(derive_mc_nwk_s_key, wrong, MC_ADDR),
            f"derive_data_block_int_key of {kind}": partial(derive_data_block_int_key, wrong),
            f"wrap_mc_key of {kind}": partial(crypto.wrap_mc_key, wrong, MC_KEY),
            f"wrap_mc_key around {kind}": partial(crypto.wrap_mc_key, mc_ke_key, wrong),
            f"unwrap_mc_key of {kind}": partial(crypto.unwrap_mc_key, wrong, bytes(16)),
            f"build_mc_downlink with {kind}": partial(
                build_mc_downlink,
                b"",
                mc_addr=MC_ADDR,
                mc_app_s_key=wrong,
                mc_nwk_s_key=wrong,
                fcnt=0,
                fport=1,
            ),
            f"McDevice with {kind}": partial(McDevice, mc_profile(2), root_key=wrong),
            f"FragDevice with {kind}": partial(
                FragDevice, frag_profile(2), rng=random.Random(1), root_key=wrong
            ),
            f"McGroupServer with {kind}": partial(
                McGroupServer, mc_addr=MC_ADDR, mc_key=wrong, max_mc_fcnt=9
            ),
            f"setup_req for {kind}": partial(group_server().setup_req, wrong, mc_group_id=0),
            f"FragServer with {kind}": partial(FragServer, frag_profile(2), block, root_key=wrong),
        }
    for kind in ("octets", "text"):
        wrong = kinds[kind]
        found |= {
            f"mic with {kind}": partial(block.mic, wrong, **numbers),
            f"verify with {kind}": partial(block.verify, wrong, bytes(4), **numbers),
            f"a MIC that is a key, {kind}": partial(
                block.verify, DataBlockIntKey(raw), wrong, **numbers
            ),
        }
    used_up = McSender.from_mc_key(MC_KEY, MC_ADDR, next_fcnt=1, max_mc_fcnt=1)
    found |= {
        "a MIC that does not fit": partial(block.verify, DataBlockIntKey(raw), bytes(4), **numbers),
        "root_key too short": partial(crypto.root_key, raw[:15], LorawanVersion.V1_0),
        "McReceiver out of range": partial(
            McReceiver.from_mc_key,
            MC_KEY,
            MC_ADDR,
            min_mc_fcnt=2,
            max_mc_fcnt=1,
            max_inclusive=True,
        ),
        "McSender used up": partial(used_up.seal, b"", fport=1),
        "seal on a wrong port": partial(sender().seal, b"", fport=0),
        "seal of too much": partial(sender().seal, bytes(243), fport=1),
        "setup_req for a wrong group": partial(group_server().setup_req, APP_KEY, mc_group_id=9),
    }
    return found


MISTAKES = mistakes()


@pytest.mark.parametrize("name", MISTAKES)
def test_no_mistake_makes_an_error_say_the_key(name: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  which one is tested elsewhere
        MISTAKES[name]()
    error = caught.value
    shown = [str(error), repr(error), repr(error.args), repr(vars(error))]
    shown += traceback.format_exception(error)
    assert [leak for text in shown for leak in leaks(text)] == []
    if isinstance(error, FuotaError):
        assert leaks(pickle.dumps(error.args)) == []
    if "another class" in name:
        assert isinstance(error, FieldError)


# Static rules


def sources() -> Iterator[tuple[pathlib.Path, ast.Module]]:
    for path in sorted(pathlib.Path(lorafuota.__file__).parent.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def test_no_mic_is_compared_with_an_operator() -> None:
    """Whoever compares a MIC calls hmac.compare_digest."""
    compared, digests = [], 0
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hmac.compare_digest":
                digests += 1
            if not isinstance(node, ast.Compare):
                continue
            for part in (node.left, *node.comparators):
                name = getattr(part, "attr", getattr(part, "id", ""))
                if name == "mic" or name.endswith("_mic"):
                    compared.append(f"{path.name}: {ast.unparse(node)}")
    assert compared == []
    assert digests >= 3  # data blocks, frames, keys


def test_nothing_is_logged() -> None:
    imported = {
        alias.name
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not imported & {"logging", "warnings", "syslog"}
