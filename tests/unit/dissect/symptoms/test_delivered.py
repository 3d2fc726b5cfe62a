"""The delivered block against the image, against what was sent, and against the set-up alone."""

from __future__ import annotations

import random

from lorafuota import crypto
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.types import DevEUI, GenAppKey
from tests.unit.dissect.support import EUI, FRAG, OTHER, Log, fragment, setup1, setup2, status1

IMAGE = random.Random(9).randbytes(37)  # 10 fragments of 4, 3 octets of padding
PADDED = IMAGE + bytes(3)
ROOT = GenAppKey(random.Random(4).randbytes(16))
FLIPPED = bytes((*IMAGE[:9], IMAGE[9] ^ 1, *IMAGE[10:]))


def session(numbers: range = range(1, 11)) -> Log:
    log = Log().up(FRAG, "000301").down(FRAG, setup1(padding=3)).up(FRAG, "0200")
    for n in numbers:
        log.down(FRAG, fragment(n, PADDED[4 * n - 4 : 4 * n]))
    return log.down(FRAG, "0101").up(FRAG, status1(10, 0))


def test_the_right_block_is_nothing_to_speak_of() -> None:
    assert session().names(image=IMAGE, block=IMAGE) == []
    assert session().names(block=IMAGE) == []
    assert session(range(0)).names(block=IMAGE) == []


def test_a_wrong_block_is_said_to_be_not_the_image() -> None:
    found = session().find(Symptom.BLOCK_FEW, image=IMAGE, block=FLIPPED)
    says = "the delivered block is not the image: fragment 3 is not what it should be"
    assert (found.says, found.devices, found.sure.value) == (says, (EUI,), "certain")
    assert "fragment 3 differs in one octet" in found.evidence[0].text
    assert found.evidence[0].frames == (1,)


def test_without_the_image_what_was_sent_will_do_or_a_part_of_it() -> None:
    for numbers in (range(1, 11), range(2, 8)):
        found = session(numbers).find(Symptom.BLOCK_FEW, block=FLIPPED)
        assert found.says.startswith("the delivered block is not what was sent: fragment 3 is")
    assert "delivered-block-few-fragments" not in session(range(4, 11)).names(block=FLIPPED)


def test_without_fragments_the_set_up_tells_the_length() -> None:
    found = session(range(0)).find(Symptom.BLOCK_WITH_PADDING, block=PADDED)
    assert found.says.startswith("the delivered block is not what the set-up announces: it has its")
    assert found.evidence[0].text == "it has 40 octets, 37 are expected"


def test_without_a_set_up_the_two_files_are_compared() -> None:
    found = Log().up(FRAG, "000301").find(Symptom.BLOCK_FEW, image=IMAGE * 5, block=FLIPPED * 5)
    assert found.says == "the delivered block is not the image: 5 of 185 octets are others"


def test_a_mic_that_is_right_says_which_of_the_two_is_wrong() -> None:
    key = crypto.derive_data_block_int_key(ROOT)
    setup = setup2(padding=3)
    mic = crypto.data_block_mic(
        key, IMAGE, session_cnt=0x30, frag_index=0, descriptor=setup.descriptor
    )
    log = Log().up(FRAG, "000302").down(FRAG, setup2(padding=3, mic=mic)).up(FRAG, "0200")
    known = {"image": IMAGE, "block": FLIPPED, "gen_app_key": ROOT}
    assert log.names(**known) == ["delivered-block-few-fragments"]
    texts = [one.text for one in log.find(Symptom.BLOCK_FEW, **known).evidence]
    right = f"the MIC {mic.hex()} of the set-up is right for the image, so it is the block"
    assert right in texts
    assert log.names(block=FLIPPED, gen_app_key=ROOT) == ["mic-unknown"]
    found = log.find(Symptom.MIC_UNKNOWN, block=FLIPPED, gen_app_key=ROOT)
    assert "fits neither the block that was delivered nor" in found.says


def test_a_block_that_is_what_was_sent_speaks_against_the_image() -> None:
    assert session().names(image=FLIPPED, block=IMAGE) == ["another-image-was-sent"]
    found = session().find(Symptom.OTHER_IMAGE, image=FLIPPED, block=IMAGE)
    assert found.evidence[0].text.startswith(
        "the delivered block is what was sent, octet for octet"
    )


def test_of_two_blocks_one_device_got_either_will_do() -> None:
    log = session().down(FRAG, setup1(nb_frag=2)).up(FRAG, "0200")
    log.down(FRAG, fragment(1, b"efgh")).down(FRAG, fragment(2, b"ijkl"))
    log.down(FRAG, "0101").up(FRAG, status1(2, 0))
    assert log.names(block=IMAGE) == []
    assert log.names(block=b"efghijkl") == []
    assert log.names(block=b"efghijkm") == ["delivered-block-few-fragments"]


def test_a_block_of_nobody_knows_whom_is_compared_with_the_image_alone() -> None:
    log = session().up(FRAG, "000301", dev=OTHER)
    assert log.names(block=FLIPPED) == []
    assert log.names(image=IMAGE, block=FLIPPED) == ["delivered-block-few-fragments"]
    assert log.find(Symptom.BLOCK_FEW, image=IMAGE, block=FLIPPED).devices == ()
    elsewhere = {"image": IMAGE, "block": FLIPPED, "dev_eui": DevEUI(5)}
    assert log.names(**elsewhere) == ["delivered-block-few-fragments"]
