"""The MIC of a set-up: every way it goes wrong, alone and two at a time."""

from __future__ import annotations

import random

import pytest

from lorafuota import crypto
from lorafuota.datablock import DataBlock
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.types import AppKey, DataBlockIntKey, DevAddr, GenAppKey
from tests.unit.dissect.support import FRAG, GROUP, OTHER, Log, fragment, setup2

ROOT = GenAppKey(random.Random(4).randbytes(16))
KEY = crypto.derive_data_block_int_key(ROOT)
IMAGE = random.Random(5).randbytes(37)
DESCRIPTOR = b"\x01\x02\x03\x04"


def cmac(
    *,
    count: int = 7,
    index: int = 1,
    descriptor: bytes = DESCRIPTOR,
    address: bytes = bytes(4),
    length: int = 37,
    data: bytes = IMAGE,
    key: DataBlockIntKey = KEY,
) -> bytes:
    b0 = b"\x49" + count.to_bytes(2, "little") + bytes((index,)) + descriptor + address
    return crypto.aes128_cmac(key, b0 + length.to_bytes(4, "little"), data)


PADDED = IMAGE + bytes(3)
OTHER_KEY = crypto.derive_data_block_int_key(AppKey(bytes(range(16))))
CASES: list[tuple[bytes, list[str]]] = [
    (cmac()[:4], []),
    (cmac(descriptor=bytes(4))[:4], ["mic-with-zero-descriptor"]),
    (cmac(descriptor=DESCRIPTOR[::-1])[:4], ["mic-with-reversed-descriptor"]),
    (cmac(data=PADDED, length=40)[:4], ["mic-over-padding"]),
    (cmac(data=PADDED)[:4], ["mic-over-padding"]),
    (cmac(length=40)[:4], ["mic-over-padding"]),
    (cmac()[:4][::-1], ["mic-octets-reversed"]),
    (cmac()[-4:], ["mic-octets-reversed"]),
    (cmac(count=8)[:4], ["mic-with-other-session-cnt"]),
    (cmac(count=0x0700)[:4], ["mic-with-other-session-cnt"]),
    (cmac(index=0)[:4], ["mic-with-other-frag-index"]),
    (cmac(address=GROUP.to_bytes(4, "little"))[:4], ["mic-with-address"]),
    (cmac(address=GROUP.to_bytes(4, "big"))[:4], ["mic-with-address"]),
    (cmac(address=b"\x09\0\0\0")[:4], ["mic-with-address"]),
    (cmac(key=OTHER_KEY)[:4], ["wrong-root-key"]),
    (
        cmac(descriptor=bytes(4), data=PADDED, length=40)[:4],
        ["mic-with-zero-descriptor", "mic-over-padding"],
    ),
    (
        cmac(descriptor=bytes(4), key=OTHER_KEY)[:4][::-1],
        ["wrong-root-key", "mic-with-zero-descriptor", "mic-octets-reversed"],
    ),
    (b"\0\0\0\0", ["mic-unknown"]),
]


@pytest.mark.parametrize(("mic", "names"), CASES)
def test_what_a_mic_was_computed_over_is_found(mic: bytes, names: list[str]) -> None:
    setup = setup2(frag_index=1, session_cnt=7, descriptor=DESCRIPTOR, padding=3, mic=mic)
    log = Log().up(FRAG, "000302").down(FRAG, setup).up(FRAG, "0240")
    known = {
        "gen_app_key": ROOT,
        "app_key": AppKey(bytes(range(16))),
        "mc_addr": GROUP,
        "dev_addr": DevAddr(9),
    }
    assert log.names(image=IMAGE, **known) == names
    assert log.names(**known) == []  # no image, nothing to compare
    assert log.names(image=IMAGE) == []  # no key
    block = DataBlock(IMAGE, 4).padded
    for n in range(1, 11):  # the fragments will do for the image
        log.down(FRAG, fragment(n, block[4 * n - 4 : 4 * n], 1))
    assert [name for name in log.names(**known) if name != "not-enough-parity"] == names


def test_the_mic_of_another_device_is_left_alone() -> None:
    log = Log().down(FRAG, setup2(padding=3), dev=OTHER).up(FRAG, "0200", dev=OTHER)
    log.up(FRAG, "000302")
    assert log.names(image=IMAGE, gen_app_key=ROOT) == []


def test_a_mic_error_the_device_reports_is_a_symptom_of_its_own() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2()).up(FRAG, "0200").up(FRAG, "0404")
    found = log.find(Symptom.MIC_ERROR)
    assert found.evidence[0].text == "the device says MICError: 04 04"
    known = {"image": bytes(40), "gen_app_key": ROOT}
    assert log.names(**known) == ["mic-unknown", "mic-error"]
    assert log.find(Symptom.MIC_ERROR, **known).follows_from == (Symptom.MIC_UNKNOWN,)
    log.down(FRAG, setup2(session_cnt=0x31)).up(FRAG, "0200").up(FRAG, "0400")
    assert log.names() == []  # the second attempt made it good
