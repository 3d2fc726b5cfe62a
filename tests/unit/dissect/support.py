"""Captures written by hand, a line for each frame."""

from __future__ import annotations

import dataclasses
from typing import Any

from lorafuota.dissect.capture import Frame
from lorafuota.dissect.case import Known
from lorafuota.dissect.doctor import Diagnosis, diagnose
from lorafuota.dissect.hypothesis import Hypothesis, Symptom
from lorafuota.fragmentation import v1, v2
from lorafuota.multicastsetup import v1 as mc
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, DevEUI
from lorafuota.wire import Command

START = 1_400_000_000.0
EUI, OTHER = DevEUI(0x0016C001F0000000), DevEUI(0x0016C001F0000001)
GROUP = DevAddr(0x01020304)
FRAG, MC, CLOCK = 201, 200, 202


@dataclasses.dataclass
class Log:
    """A capture under way; every frame comes two seconds after the one before."""

    frames: list[Frame] = dataclasses.field(default_factory=list)
    now: float = START

    def wait(self, seconds: float) -> Log:
        self.now += seconds
        return self

    def down(self, fport: int, what: Command | str, *, dev: DevEUI = EUI) -> Log:
        return self._add(DOWNLINK, fport, what, dev_eui=dev)

    def up(self, fport: int, what: Command | str, *, dev: DevEUI = EUI) -> Log:
        return self._add(UPLINK, fport, what, dev_eui=dev)

    def group(
        self, what: Command | str, *, fcnt: int | None = None, mc_addr: DevAddr = GROUP
    ) -> Log:
        return self._add(DOWNLINK, FRAG, what, mc_addr=mc_addr, fcnt=fcnt)

    def _add(self, direction: Any, fport: int, what: Command | str, **fields: Any) -> Log:
        payload = bytes.fromhex(what) if isinstance(what, str) else what.encode()
        self.frames.append(
            Frame(direction=direction, fport=fport, payload=payload, time=self.now, **fields)
        )
        self.now += 2
        return self

    def diagnose(self, **known: Any) -> Diagnosis:
        return diagnose(self.frames, Known(**known))

    def names(self, **known: Any) -> list[str]:
        return [one.symptom.value for one in self.diagnose(**known).hypotheses]

    def find(self, symptom: Symptom, **known: Any) -> Hypothesis:
        [found] = [one for one in self.diagnose(**known).hypotheses if one.symptom is symptom]
        return found


def setup1(**fields: Any) -> v1.FragSessionSetupReq:
    usual: dict[str, Any] = {
        "mc_group_bit_mask": 1,
        "frag_index": 0,
        "nb_frag": 10,
        "frag_size": 4,
        "block_ack_delay": 0,
        "frag_algo": 0,
        "padding": 0,
        "descriptor": bytes(4),
    }
    return v1.FragSessionSetupReq(**{**usual, **fields})


def setup2(**fields: Any) -> v2.FragSessionSetupReq:
    usual: dict[str, Any] = {
        "mc_group_bit_mask": 1,
        "frag_index": 0,
        "nb_frag": 10,
        "frag_size": 4,
        "block_ack_delay": 0,
        "frag_algo": 0,
        "ack_reception": True,
        "padding": 0,
        "descriptor": bytes(4),
        "session_cnt": 0x30,
        "mic": bytes.fromhex("4d6d1790"),
    }
    return v2.FragSessionSetupReq(**{**usual, **fields})


def group_setup(**fields: Any) -> mc.McGroupSetupReq:
    usual: dict[str, Any] = {
        "mc_group_id": 0,
        "mc_addr": GROUP,
        "mc_key_encrypted": bytes(range(16)),
        "min_mc_fcnt": 0,
        "max_mc_fcnt": 1000,
    }
    return mc.McGroupSetupReq(**{**usual, **fields})


def class_c(start: float, **fields: Any) -> mc.McClassCSessionReq:
    usual: dict[str, Any] = {
        "mc_group_id": 0,
        "session_time": int(start),
        "time_out": 8,
        "dl_freq_hz": 869_525_000,
        "dr": 5,
    }
    return mc.McClassCSessionReq(**{**usual, **fields})


def fragment(n: int, payload: bytes = b"abcd", frag_index: int = 0) -> str:
    """DataFragment in hex, also one that no constructor would take."""
    return (b"\x08" + (frag_index << 14 | n).to_bytes(2, "little") + payload).hex()


def status1(received: int, missing: int, *, memory: bool = False, index: int = 0) -> str:
    return (
        v1.FragSessionStatusAns(
            nb_frag_received=received,
            frag_index=index,
            missing_frag=missing,
            not_enough_matrix_memory=memory,
        )
        .encode()
        .hex()
    )


def status2(received: int, missing: int, *, mic: bool = False, index: int = 0) -> str:
    return (
        v2.FragSessionStatusAns(
            memory_error=False,
            mic_error=mic,
            session_does_not_exist=False,
            nb_frag_received=received,
            frag_index=index,
            missing_frag=missing,
        )
        .encode()
        .hex()
    )
