from __future__ import annotations

import pytest

from lorafuota import DecodeError, FieldError
from lorafuota.multipackage import v1


def test_the_error_fragment_has_two_octets_and_no_token() -> None:
    error = v1.MultiPackBufferFrag(base_byte=0xFF, ans=None, token=None)
    assert error.encode() == b"\x02\xff"
    assert v1.MultiPackBufferFrag.decode(b"\x02\xff", strict=True) == error


def test_the_error_fragment_of_basics_modem_has_a_token() -> None:
    error = v1.MultiPackBufferFrag(base_byte=0xFF, ans=None, token=None)
    assert v1.MultiPackBufferFrag.decode(b"\x02\xff\x03") == error
    with pytest.raises(DecodeError):
        v1.MultiPackBufferFrag.decode(b"\x02\xff\x03", strict=True)


def test_a_fragment_holds_at_least_one_octet() -> None:
    with pytest.raises(FieldError, match="ans"):
        v1.MultiPackBufferFrag(base_byte=0, ans=b"", token=0)
    with pytest.raises(DecodeError):
        v1.MultiPackBufferFrag.decode(b"\x02\x00\x03")
    with pytest.raises(DecodeError):
        v1.MultiPackBufferFrag.decode(b"\x02\x80\x01\x03")
