"""What the doctor says: a symptom, how much speaks for it, the evidence, and what to try next.

How sure a hypothesis is follows from its evidence alone.  Every piece has one of four weights, and
pieces count as independent: what is left of the doubt is the product of what each of them leaves::

    score = 1 - (1 - w1) * (1 - w2) * ...

So one check of 32 bits settles a matter, two strong signs come close, and hints never do.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Final

from ..types import DevEUI
from ..wire import JSON

__all__ = ["Evidence", "Finding", "Hypothesis", "Sure", "Symptom", "Weight"]

_DIGITS: Final = 3
_MOST: Final = 0.999


class Weight(float, enum.Enum):
    """How much one piece of evidence says."""

    PROOF = 0.98
    """A check of 32 bits or more that fits in this way and in no other."""
    STRONG = 0.8
    """The documents leave no other reading that is known."""
    FAIR = 0.5
    """What this cause does; others do it too."""
    HINT = 0.2
    """It goes with the rest, and alone says little."""


class Sure(enum.Enum):
    """A score in a word."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"
    WORTH_A_LOOK = "worth a look"

    @classmethod
    def of(cls, score: float) -> Sure:
        """Return the word for a score: from 0.95, 0.75 and 0.45 on, and below."""
        if score >= 0.95:
            return cls.CERTAIN
        if score >= 0.75:
            return cls.LIKELY
        return cls.POSSIBLE if score >= 0.45 else cls.WORTH_A_LOOK


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen.

    Attributes:
        weight: What it says.
        text: What it is, with the figures and octets.
        frames: Where, as positions in the list of frames, from 0.
        lines: The same as lines of the log, from 1; the diagnosis fills them in.
    """

    weight: Weight
    text: str
    frames: tuple[int, ...] = ()
    lines: tuple[int, ...] = ()

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON, with the lines of the log."""
        lines: list[JSON] = list(self.lines)
        return {"weight": self.weight.name.lower(), "text": self.text, "lines": lines}


class Symptom(enum.Enum):
    """What may be wrong.  Of equally sure ones, the earlier is named first."""

    # What is in the log at all
    NOT_IN_CLEAR = "payload-not-in-clear"
    # Who speaks which version
    V2_SETUP_TO_V1 = "v2-setup-to-v1-device"
    V1_SETUP_TO_V2 = "v1-setup-to-v2-device"
    STATUS_IN_V1_ORDER = "status-in-v1-order"
    # What does not fit because a key or an address is another one
    ROOT_KEY_ROLE = "wrong-root-key"
    ROOT_KEY_AS_KEK = "derivation-step-missing"
    MC_KEY_IN_CLEAR = "mc-key-in-clear"
    MC_KE_KEY_ZERO = "mc-ke-key-zero"
    MC_KEY_DIRECTION = "mc-key-encrypted-for-decrypted"
    MC_ADDR_REVERSED = "mc-addr-reversed"
    MC_ADDR_OTHER = "mc-addr-of-no-group"
    DEV_EUI_REVERSED = "dev-eui-reversed"
    JOIN_EUI_FOR_DEV_EUI = "join-eui-for-dev-eui"
    MC_KEYS_UNKNOWN = "mc-keys-unknown"
    # The MIC of the block
    MIC_ZERO_DESCRIPTOR = "mic-with-zero-descriptor"
    MIC_DESCRIPTOR_REVERSED = "mic-with-reversed-descriptor"
    MIC_WITH_PADDING = "mic-over-padding"
    MIC_OCTET_ORDER = "mic-octets-reversed"
    MIC_OTHER_COUNTER = "mic-with-other-session-cnt"
    MIC_OTHER_INDEX = "mic-with-other-frag-index"
    MIC_ADDRESS = "mic-with-address"
    MIC_UNKNOWN = "mic-unknown"
    # How fragments are numbered, cut and coded
    ZERO_BASED = "fragments-from-zero"
    SEED_BASE = "wrong-seed-base"
    WRONG_MATRIX = "wrong-parity-matrix"
    FOREIGN_MATRIX = "foreign-parity-matrix"
    OTHER_IMAGE = "another-image-was-sent"
    DAMAGED_FRAGMENTS = "damaged-fragments"
    FRAGMENT_LENGTH = "fragment-length"
    FRAG_INDEX = "frag-index-without-session"
    GROUP_NOT_IN_MASK = "group-not-in-mask"
    # What the device delivered
    BLOCK_WITH_PADDING = "delivered-block-with-padding"
    BLOCK_LENGTH = "delivered-block-length"
    BLOCK_BLANK = "delivered-block-blank"
    BLOCK_SWAPPED = "delivered-block-swapped"
    BLOCK_FEW = "delivered-block-few-fragments"
    BLOCK_OTHER = "delivered-block-other"
    # Clocks and windows
    CLOCK_LEAP_SECONDS = "clock-off-by-leap-seconds"
    CLOCK_EPOCH = "clock-of-another-epoch"
    CLOCK_OFF = "clock-off"
    SERVER_CLOCK = "server-clock-off"
    WINDOW_MISSED = "window-missed"
    SENT_BEFORE_START = "sent-before-start"
    WINDOW_TOO_SHORT = "window-too-short"
    # Counters of the group
    FCNT_REUSED = "frame-counter-reused"
    FCNT_RESTARTED = "frame-counter-restarted"
    FCNT_OUTSIDE = "frame-counter-outside-range"
    FCNT_ABOVE_16_BITS = "frame-counter-above-65535"
    # What a device says aloud
    SESSION_CNT_REPLAY = "refused-session-cnt-replay"
    FRAG_ALGO = "refused-frag-algo"
    NOT_ENOUGH_MEMORY = "refused-not-enough-memory"
    FRAG_INDEX_REFUSED = "refused-frag-index"
    WRONG_DESCRIPTOR = "refused-descriptor"
    MC_GROUP_ID = "refused-mc-group-id"
    MC_GROUP_UNDEFINED = "refused-group-undefined"
    FREQUENCY = "refused-frequency"
    DATA_RATE = "refused-data-rate"
    MEMORY_ERROR = "too-many-lost-for-the-device"
    SESSION_ABSENT = "session-does-not-exist"
    # How it answers
    ANSWER_STORM = "answers-all-at-once"
    DELAY_IN_MILLISECONDS = "answer-delay-in-milliseconds"
    REPORT_UNANSWERED = "report-not-answered"
    ORDER = "fragments-out-of-order"
    MISSING_ONE = "missing-one-without-loss"
    MISSING_NEVER_FALLS = "missing-never-falls"
    PARTICIPANTS = "silent-because-complete"
    # Repair
    ONE_FRAGMENT = "no-parity-for-one-fragment"
    EVEN_PARITY = "even-parity-without-plain-fragment"
    SHORT_TRANSFER = "not-all-fragments-sent"
    NOT_ENOUGH_PARITY = "not-enough-parity"
    # What others lead to
    MIC_ERROR = "mic-error"
    NOTHING_HEARD = "nothing-heard"
    NO_ANSWER = "requests-not-answered"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What one look at a capture found; findings about the same become one hypothesis.

    Attributes:
        symptom: What may be wrong.
        says: What it means, in a sentence with the figures of this capture.
        evidence: What speaks for it.
        device: Whom it is about, if anybody.
    """

    symptom: Symptom
    says: str
    evidence: tuple[Evidence, ...]
    device: DevEUI | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One explanation of a capture.

    Attributes:
        symptom: Its name, the same in every version of the library.
        says: What it means, in a sentence with the figures of this capture.
        evidence: What speaks for it.
        try_next: What to do about it, or to find out more.
        devices: Whom it is about, where the capture says.
        follows_from: Hypotheses named before it that explain it.
    """

    symptom: Symptom
    says: str
    evidence: tuple[Evidence, ...]
    try_next: str
    devices: tuple[DevEUI, ...] = ()
    follows_from: tuple[Symptom, ...] = ()

    @property
    def score(self) -> float:
        """How sure it is, 0 to 1: see :mod:`lorafuota.dissect.hypothesis`."""
        doubt = math.prod(1 - one.weight for one in self.evidence)
        return min(round(1 - doubt, _DIGITS), _MOST)

    @property
    def sure(self) -> Sure:
        """The score in a word."""
        return Sure.of(self.score)

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON."""
        evidence: list[JSON] = [one.to_json() for one in self.evidence]
        devices: list[JSON] = [str(one) for one in self.devices]
        causes: list[JSON] = [one.value for one in self.follows_from]
        return {
            "symptom": self.symptom.value,
            "score": self.score,
            "sure": self.sure.value,
            "says": self.says,
            "evidence": evidence,
            "try_next": self.try_next,
            "devices": devices,
            "follows_from": causes,
        }
