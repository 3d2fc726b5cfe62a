"""The one programmed reboot as data; what commands and resets make of it is in test_firmware."""

from __future__ import annotations

import copy
import pickle

import pytest

from lorafuota.errors import FieldError
from lorafuota.session.actions import Store
from lorafuota.session.rebootslot import RebootSlot

NOW = 1_400_000_000.0


def test_an_empty_slot_has_nothing_to_do_and_nothing_to_store() -> None:
    slot = RebootSlot()
    assert (slot.due, slot.waiting, slot.export(), slot.clear()) == (None, False, {}, [])
    assert slot.set_offset(5.0, now=NOW) == []
    assert slot.restore({}, now=NOW, offset=0.0, firmware=1) == []


def test_what_is_stored_is_what_is_exported_and_restored() -> None:
    slot = RebootSlot()
    [store] = slot.after(60, now=NOW, offset=0.5, firmware=7)
    assert store == Store("reboot", f"time {int(NOW) + 61} 7")  # whole seconds, not before it
    assert slot.export() == {"reboot": f"time {int(NOW) + 61} 7"}
    fresh = RebootSlot()
    assert fresh.restore(slot.export(), now=NOW, offset=0.5, firmware=7) == []
    assert (slot.due, fresh.due) == (NOW + 60, NOW + 60.5)
    assert fresh.export() == slot.export()


def test_a_countdown_is_stored_anew_when_the_clock_moves_and_stays_where_it_is() -> None:
    slot = RebootSlot()
    slot.after(60, now=5.0, offset=None, firmware=7)
    assert slot.set_offset(NOW, now=6.0) == [Store("reboot", f"time {int(NOW) + 65} 7")]
    assert slot.set_offset(NOW, now=6.0) == []
    assert slot.set_offset(NOW + 9, now=6.0) == [Store("reboot", f"time {int(NOW) + 74} 7")]
    assert slot.due == 65.0


def test_a_time_wraps_in_2116() -> None:
    slot = RebootSlot()
    slot.after(100, now=2.0**32 - 50, offset=0.0, firmware=7)
    assert slot.export() == {"reboot": "time 50 7"}
    fresh = RebootSlot()
    fresh.restore(slot.export(), now=2.0**32 - 40, offset=0.0, firmware=7)
    assert fresh.due == 2.0**32 + 50


def test_a_restored_time_waits_for_the_clock() -> None:
    slot = RebootSlot()
    slot.restore({"reboot": "time 1400000060 7"}, now=3.0, offset=None, firmware=7)
    assert (slot.due, slot.waiting) == (None, True)
    assert slot.set_offset(NOW, now=4.0) == []
    assert (slot.due, slot.waiting) == (60.0, False)


@pytest.mark.parametrize("value", ["", "time  1 1", "time 1 1 ", "TIME 1 1", "time 9999999999 1"])
def test_an_entry_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(FieldError):
        RebootSlot().restore({"reboot": value}, now=NOW, offset=0.0, firmware=1)


def test_a_slot_is_plain_data() -> None:
    slot = RebootSlot()
    slot.after(60, now=NOW, offset=None, firmware=7)
    assert slot == copy.deepcopy(slot) == pickle.loads(pickle.dumps(slot))
