"""Which keys are tried, and what their mix-ups are called; the keys themselves stay inside."""

from __future__ import annotations

from lorafuota.crypto import derive_mc_root_key
from lorafuota.dissect.case import Known
from lorafuota.dissect.rootkeys import mc_root_keys, roots
from lorafuota.types import AppKey, GenAppKey, LorawanVersion

A, B = bytes(range(16)), bytes(range(16, 32))


def test_the_right_key_comes_first_and_has_no_mistake() -> None:
    for known, right in (
        (Known(gen_app_key=GenAppKey(A)), GenAppKey(A)),
        (Known(app_key=AppKey(B)), AppKey(B)),
        (Known(gen_app_key=GenAppKey(A), app_key=AppKey(B)), GenAppKey(A)),
        (
            Known(gen_app_key=GenAppKey(A), app_key=AppKey(B), lorawan=LorawanVersion.V1_1),
            AppKey(B),
        ),
    ):
        first = next(iter(roots(known)))
        assert (first.key, first.mistake) == (right, "")


def test_every_key_is_tried_in_both_roles() -> None:
    known = Known(gen_app_key=GenAppKey(A), app_key=AppKey(B), lorawan=LorawanVersion.V1_0)
    tried = [(type(one.key), one.key.reveal(), bool(one.mistake)) for one in roots(known)]
    assert tried == [
        (GenAppKey, A, False),
        (AppKey, A, True),
        (AppKey, B, True),
        (GenAppKey, B, True),
    ]
    assert "the key it joins with" in [*roots(known)][3].mistake


def test_without_the_root_key_of_the_link_layer_nothing_is_right() -> None:
    known = Known(app_key=AppKey(B), lorawan=LorawanVersion.V1_0)
    assert known.root is None
    assert all(one.mistake for one in roots(known))


def test_the_derivation_is_tried_and_left_out() -> None:
    root = next(iter(roots(Known(gen_app_key=GenAppKey(A)))))
    right, skipped = mc_root_keys(root)
    assert right == (derive_mc_root_key(GenAppKey(A)), "")
    assert (skipped[0].reveal(), "left out" in skipped[1]) == (A, True)


def test_no_key_is_in_a_repr() -> None:
    known = Known(gen_app_key=GenAppKey(A), app_key=AppKey(B), image=A, block=B)
    for octets in (A, B):
        assert octets.hex() not in repr(known) + repr([*roots(known)])
        assert repr(octets) not in repr(known)
