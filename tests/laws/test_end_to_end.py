"""From image to image over the air: keys, frames, fragments, loss (promises R5, R9, R10, S7, S11).

The server's half makes multicast PHYPayloads; a channel loses, repeats, reorders and damages them;
the device's half takes what is left.  The outcome is the exact image, or an honest "not enough":
missing fragments that the status tells.  ``LORAFUOTA_LONG=1`` multiplies the random sessions.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lorafuota.datablock import DataBlock
from lorafuota.fec.matrix import parity_lines
from lorafuota.fragmentation.v1 import DataFragment, FragSessionStatusReq
from lorafuota.fragmentation.v2 import FragDataBlockReceivedReq
from lorafuota.package import Package
from lorafuota.session.actions import (
    BlockFailed,
    BlockReceived,
    Dropped,
    ListenClassC,
    Rejected,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice, FragLimits, FragServer, FragState, StatusAns
from lorafuota.session.multicast import McDevice, McGroupServer
from lorafuota.session.profile import frag_profile, mc_profile
from lorafuota.testing import channel as toolbox
from lorafuota.testing.channel import Corrupt, Loss, Reorder, Repeat
from lorafuota.types import UPLINK, AppKey, DevAddr, GenAppKey, McKey
from lorafuota.wire import Command
from tests.support import LONG, Record, rebuilt

NOW = 1_400_000_000.0
FIRMWARE = pathlib.Path(__file__).parents[1] / "data" / "firmware"
SAMPLES = ("app-1.0.0.signed.bin", "app-1.1.0.signed.bin")
INDEX, GROUP = 2, 1
both = pytest.mark.parametrize("version", [1, 2])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What happens to frames, each with a probability of its own."""

    loss: float = 0.0
    repeat: float = 0.0
    damage: float = 0.0
    forge: float = 0.0
    """A fragment with right frame keys and wrong octets: a hostile member of the group."""
    reorder: int = 0
    """Frames that wait on their way, at most."""

    def carried(self, frames: list[bytes], rng: random.Random) -> list[bytes]:
        """What arrives, in the order it does."""
        effects = Loss(self.loss), Repeat(self.repeat), Corrupt(self.damage)
        air = toolbox.Channel(*effects, Reorder(1.0, self.reorder), chance=rng)
        return air.through(frames)


class Outcome(NamedTuple):
    """What a device made of a transmission."""

    blocks: tuple[BlockReceived, ...]
    failures: tuple[BlockFailed, ...]
    status: StatusAns
    device: FuotaDevice


class Pair:
    """A server and one device, back to back over octets."""

    def __init__(
        self, version: int, block: DataBlock, *, seed: int, limits: FragLimits | None = None
    ) -> None:
        self.rng = random.Random(seed)
        root_octets = self.rng.randbytes(16)
        root = AppKey(root_octets) if seed % 2 else GenAppKey(root_octets)
        self.profile, self.block = frag_profile(version), block
        self.package: Package = self.profile.package
        self.device = FuotaDevice(
            multicast=McDevice(mc_profile(version), root_key=root),
            fragmentation=FragDevice(
                self.profile, rng=random.Random(seed), root_key=root, limits=limits
            ),
        )
        self.group = McGroupServer(
            mc_addr=DevAddr(self.rng.getrandbits(32)),
            mc_key=McKey(self.rng.randbytes(16)),
            max_mc_fcnt=1 << 20,
        )
        self.server = FragServer(
            self.profile,
            block,
            frag_index=INDEX,
            mc_group_bit_mask=1 << GROUP,
            ack_reception=version == 2,
            session_cnt=self.rng.getrandbits(16) if version == 2 else 0,
            root_key=root,
        )
        for fport, command in (
            (200, self.group.setup_req(root, mc_group_id=GROUP)),
            (self.package.fport, self.server.setup_req),
        ):
            answer = self._send(fport, command)
            assert len(answer.payload) == 2
            assert answer.payload[1] & ~0xC3 == 0  # no error bit, whatever the index

    def frames(self, numbers: list[int], channel: Channel) -> list[bytes]:
        """The frames that arrive, in the order they arrive."""
        rng = self.rng
        sealed: list[bytes] = []
        fragments = self.block.encoder(self.profile.parity).fragments(numbers)
        for n, payload in zip(numbers, fragments, strict=True):
            if rng.random() < channel.forge:
                at = rng.randrange(len(payload))
                payload = payload[:at] + bytes((payload[at] ^ 0x55,)) + payload[at + 1 :]
            fragment = DataFragment(n=n, frag_index=INDEX, payload=payload)
            sealed.append(self.group.sender.seal(fragment.encode(), fport=self.package.fport))
        return channel.carried(sealed, rng)

    def send(self, numbers: list[int], channel: Channel) -> Outcome:
        """Send fragments by multicast; check what must hold whatever the channel does."""
        blocks: list[BlockReceived] = []
        failures: list[BlockFailed] = []
        stored = 0
        for place, phy in enumerate(self.frames(numbers, channel)):
            for action in rebuilt(
                self.device, self.device.receive_frame(phy, now=NOW + place), NOW + place
            ):
                match action:
                    case BlockReceived():
                        blocks.append(action)
                    case BlockFailed():
                        failures.append(action)
                    case StoreSessionCnt():
                        stored += 1
                        assert not blocks
                    case Dropped():
                        pass
                    case _:
                        assert not isinstance(action, ListenClassC | StopListening | Rejected)
        assert len(blocks) + len(failures) <= 1
        assert stored <= self.profile.has_mic
        assert all(block.verified is self.profile.has_mic for block in blocks)
        return Outcome(tuple(blocks), tuple(failures), self.status(), self.device)

    def status(self) -> StatusAns:
        req = FragSessionStatusReq(participants=True, frag_index=INDEX)
        return self._answer(req)

    def _answer(self, req: Command) -> StatusAns:
        answer = self._send(self.package.fport, req)
        [found] = self.package.parse(answer.payload, UPLINK, strict=True)
        assert isinstance(found, StatusAns)
        return found

    def _send(self, fport: int, command: Command) -> Send:
        actions = rebuilt(self.device, self.device.receive(fport, command.encode(), now=NOW), NOW)
        [answer] = [action for action in actions if not isinstance(action, Store)]
        assert isinstance(answer, Send)
        return answer


def all_numbers(block: DataBlock, loss: float, extra: int = 0) -> list[int]:
    """Numbers enough for nearly every device at this loss; one fragment is just repeated."""
    if block.nb_frag == 1:
        return [1] * 24
    parity = int(block.nb_frag * loss / (1 - loss) * 1.3) + 25 + extra
    return list(range(1, block.nb_frag + min(parity, block.max_parity) + 1))


def honest(pair: Pair, outcome: Outcome) -> bool:
    """Check a transmission by honest members; tell whether the image arrived."""
    state = outcome.device.fragmentation.state(INDEX)
    assert outcome.failures == ()
    assert outcome.status.frag_index == INDEX
    assert outcome.status.missing_frag is not None
    if not outcome.blocks:
        missing = outcome.device.fragmentation.decoder(INDEX).missing
        assert outcome.status.missing_frag == min(missing, 255) > 0
        assert state in (FragState.READY, FragState.RECEIVING)
        return False
    [block] = outcome.blocks
    assert block == BlockReceived(
        INDEX, pair.block.descriptor, pair.block.image, pair.profile.has_mic, block.check
    )
    assert block.check.ok
    assert (outcome.status.missing_frag, state) == (0, FragState.DONE)
    return True


@both
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("loss", [0.0, 0.1, 0.4])
def test_the_sample_firmware_arrives(sample: str, loss: float, version: int) -> None:
    block = DataBlock((FIRMWARE / sample).read_bytes(), 219, b"v1.0")
    pair = Pair(version, block, seed=len(block.image) + version)
    assert honest(pair, pair.send(all_numbers(block, loss), Channel(loss=loss)))


@both
@pytest.mark.parametrize("loss", [0.2])
def test_a_megabyte_arrives(loss: float, version: int) -> None:
    block = DataBlock(random.Random(version).randbytes(1 << 20), 239)
    assert block.nb_frag == 4388
    pair = Pair(version, block, seed=version)
    assert honest(pair, pair.send(all_numbers(block, loss), Channel(loss=loss)))


@both
@pytest.mark.parametrize("nb_frag", [1, 2, 3, 4, 5, 7, 8, 9, 16, 32, 33, 64, 128, 256, 257, 512])
@pytest.mark.parametrize("loss", [0.0, 0.1, 0.25, 0.4])
def test_blocks_of_every_kind_of_size_arrive(nb_frag: int, loss: float, version: int) -> None:
    rng = random.Random(nb_frag)
    for padding in (0, 1, 6):
        block = DataBlock(rng.randbytes(nb_frag * 7 - padding), 7, rng.randbytes(4))
        pair = Pair(version, block, seed=nb_frag * 8 + padding)
        numbers = all_numbers(block, loss)
        if nb_frag < 4:
            numbers = numbers * 3  # tiny blocks have few different parity lines: repeat all
        assert honest(pair, pair.send(numbers, Channel(loss=loss)))


@both
@pytest.mark.parametrize("nb_frag", [2, 3, 10, 64, 300])
@pytest.mark.parametrize("loss", [0.0, 0.2, 0.4])
def test_without_enough_fragments_the_device_says_how_many_are_missing(
    nb_frag: int, loss: float, version: int
) -> None:
    block = DataBlock(random.Random(nb_frag).randbytes(nb_frag * 7), 7)
    pair = Pair(version, block, seed=nb_frag)
    numbers = list(range(1, nb_frag))  # whatever happens, one is missing
    outcome = pair.send(numbers, Channel(loss=loss))
    assert not honest(pair, outcome)
    assert (
        outcome.status.nb_frag_received
        == nb_frag - outcome.device.fragmentation.decoder(INDEX).missing
    )
    rest = pair.send(all_numbers(block, 0.4), Channel())
    assert honest(pair, rest)


channels = st.builds(
    Channel,
    loss=st.floats(0, 0.4),
    repeat=st.floats(0, 0.5),
    damage=st.floats(0, 0.3),
    reorder=st.integers(0, 40),
)
images = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.builds(
        lambda size, seed: random.Random(seed).randbytes(size),
        st.integers(1, 6000),
        st.integers(0, 99),
    ),
)


@given(
    image=images,
    frag_size=st.integers(1, 239),
    channel=channels,
    version=st.sampled_from([1, 2]),
    extra=st.integers(-30, 40),
    seed=st.integers(0, 2**32),
)
@example(
    image=b"x", frag_size=1, channel=Channel(loss=0.4), version=1, extra=0, seed=0
)  # a block of one fragment: no parity line has a tap
def test_a_hostile_channel_gives_the_image_or_an_honest_not_enough(
    image: bytes, frag_size: int, channel: Channel, version: int, extra: int, seed: int
) -> None:
    """Reordered frames fail the counter, damaged ones the MIC: to the decoder both are losses."""
    frag_size = max(frag_size, -(-len(image) // 2000))
    block = DataBlock(image, frag_size)
    pair = Pair(version, block, seed=seed)
    numbers = all_numbers(block, channel.loss)
    numbers = numbers[: max(1, len(numbers) + min(extra, 0))]
    honest(pair, pair.send(numbers, channel))


@given(
    nb_frag=st.integers(1, 60),
    frag_size=st.integers(1, 20),
    forge=st.floats(0, 0.3),
    loss=st.floats(0, 0.4),
    version=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**32),
)
def test_a_hostile_member_never_gets_a_wrong_image_called_verified(
    nb_frag: int, frag_size: int, forge: float, loss: float, version: int, seed: int
) -> None:
    block = DataBlock(random.Random(seed).randbytes(nb_frag * frag_size), frag_size)
    pair = Pair(version, block, seed=seed)
    outcome = pair.send(all_numbers(block, loss), Channel(loss=loss, forge=forge, reorder=0))
    state = outcome.device.fragmentation.state(INDEX)
    for received in outcome.blocks:
        assert (outcome.status.missing_frag, state) == (0, FragState.DONE)
        if version == 2:
            assert received.data == block.image
            assert received.verified
        else:
            assert not received.verified
    for failed in outcome.failures:
        assert version == 2
        assert failed.reason == "data block: the MIC does not fit"
        assert state is FragState.FAILED
        assert outcome.status.to_json()["mic_error"] is True
    if not outcome.blocks and not outcome.failures:
        assert outcome.status.missing_frag


def test_spare_fragments_betray_a_forged_one_that_one_of_them_covers(
    record_property: Record,
) -> None:
    """Promise S11: one wrong fragment, in sessions of version 1 with fragments to spare.

    One plain fragment is withheld and then made good.  Coded fragments that do not need it came
    before, and check the others: exactly those forgeries pass that no check covers.
    """
    sessions, told = (20_000 if LONG else 300), 0
    for seed in range(sessions):
        rng = random.Random(seed)
        block = DataBlock(rng.randbytes(60), 3)
        pair = Pair(1, block, seed=seed)
        encoder = block.encoder(pair.profile.parity)
        withheld, forged = rng.sample(range(1, 21), 2)
        lines = parity_lines(range(21, 60), nb_frag=20, variant=pair.profile.parity)
        covering = []  # the checks that come before the first line that needs what is withheld
        for n, line in enumerate(lines, 21):
            if line[withheld - 1]:
                break
            if line[forged - 1]:
                covering.append(n)
        outcome: list[BlockReceived] = []
        for n in [*(n for n in range(1, 21) if n != withheld), *range(21, 60)]:
            payload = encoder.fragment(n)
            if n == forged:
                payload = bytes((payload[0] ^ 1,)) + payload[1:]
            command = DataFragment(n=n, frag_index=INDEX, payload=payload)
            actions = rebuilt(pair.device, pair.device.receive(201, command.encode(), now=NOW), NOW)
            outcome += [action for action in actions if isinstance(action, BlockReceived)]
        [received] = outcome
        assert received.data != block.image
        assert not received.verified
        assert received.check.disagreeing == tuple(covering)
        told += not received.check.ok
    assert told > sessions // 5
    record_property("sessions with a forged fragment", sessions)
    record_property("told", told)


@both
def test_every_padding_is_cut_off_to_the_octet(version: int) -> None:
    for padding in range(8):
        block = DataBlock(random.Random(padding).randbytes(80 - padding), 8)
        pair = Pair(version, block, seed=padding)
        assert honest(pair, pair.send(all_numbers(block, 0.2), Channel(loss=0.2)))


@both
@given(losses=st.sets(st.integers(1, 24), max_size=20), seed=st.integers(0, 999))
def test_a_device_with_a_small_matrix_delivers_or_says_that_it_gave_up(
    version: int, losses: set[int], seed: int
) -> None:
    block = DataBlock(random.Random(seed).randbytes(24 * 5), 5)
    pair = Pair(version, block, seed=seed, limits=FragLimits(max_lost=6))
    numbers = [n for n in all_numbers(block, 0.4, 20) if n not in losses]
    outcome = pair.send(numbers, Channel())
    if len(losses) <= 6:
        assert honest(pair, outcome)
        return
    [failed] = outcome.failures
    assert failed.reason == "more than max_lost = 6 fragments were lost"
    assert outcome.device.fragmentation.state(INDEX) is FragState.ABORTED
    status = outcome.status.to_json()
    assert status["missing_frag"] == len(losses)
    assert status["memory_error" if version == 2 else "not_enough_matrix_memory"] is True


def test_the_end_is_reported_to_the_server_that_asked() -> None:
    block = DataBlock(bytes(range(200)), 20)
    pair = Pair(2, block, seed=4)
    assert honest(pair, pair.send(all_numbers(block, 0.3), Channel(loss=0.3)))
    deadline = pair.device.next_deadline
    assert deadline is not None
    [_, report] = pair.device.tick(now=deadline)
    assert isinstance(report, Send)
    assert pair.package.parse(report.payload, UPLINK) == [
        FragDataBlockReceivedReq(frag_index=INDEX, mic_error=False)
    ]
