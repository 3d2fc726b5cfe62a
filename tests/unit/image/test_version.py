from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import FieldError, RollbackError
from lorafuota.image.version import ImageVersion, require_newer

VERSIONS = st.builds(
    ImageVersion,
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 65535),
    st.integers(0, 0xFFFFFFFF),
)
IN_ORDER = [
    ImageVersion(*parts)
    for parts in [
        (0, 0, 0),
        (0, 0, 1),
        (0, 0, 65535),
        (0, 1, 0),
        (0, 255, 65535),
        (1, 0, 0),
        (1, 0, 2),
        (1, 0, 10),
        (1, 2, 0),
        (1, 10, 0),
        (255, 0, 0),
    ]
]


@given(version=VERSIONS)
def test_text_and_octets_give_the_version_back(version: ImageVersion) -> None:
    assert ImageVersion.parse(str(version)) == version
    assert ImageVersion.decode(version.encode()) == version


def test_the_later_parts_of_a_version_are_optional() -> None:
    assert ImageVersion.parse("1") == ImageVersion(1)
    assert ImageVersion.parse("1.2") == ImageVersion(1, 2)
    assert ImageVersion.parse("1.2.3") == ImageVersion(1, 2, 3)
    assert ImageVersion.parse("1.2.3+4") == ImageVersion(1, 2, 3, 4)


@pytest.mark.parametrize(
    "text",
    ["", "v1", "1.", "01.0.0", "1.2+3", "1.2.3.4", "1.2.3+", " 1.0.0", "1.0.0\n", "-1", "\u0661"],
)
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(FieldError, match=r"expected major\.minor\.revision\+build"):
        ImageVersion.parse(text)


@pytest.mark.parametrize("text", ["256", "0.256", "0.0.65536", "0.0.0+4294967296"])
def test_a_number_that_does_not_fit_its_field_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="expected int in"):
        ImageVersion.parse(text)


def test_the_octets_are_those_of_an_mcuboot_header() -> None:
    assert ImageVersion(1, 2, 0x0304, 0x05060708).encode().hex() == "0102040308070605"
    with pytest.raises(FieldError, match="expected 8 octets"):
        ImageVersion.decode(bytes(7))


def test_the_32_bits_of_ts006_are_major_minor_and_revision() -> None:
    assert ImageVersion(1, 2, 3, 99).fw_version == 0x01020003
    assert ImageVersion.from_fw_version(0x01020003) == ImageVersion(1, 2, 3)
    with pytest.raises(FieldError):
        ImageVersion.from_fw_version(1 << 32)


def test_versions_are_in_the_order_of_their_numbers_and_not_of_their_text() -> None:
    for (i, one), (j, other) in itertools.product(enumerate(IN_ORDER), repeat=2):
        assert one.is_newer(other) is (i > j)
        assert (one.fw_version > other.fw_version) is (i > j)


def test_the_build_number_counts_only_when_asked_for() -> None:
    assert not ImageVersion(1, 0, 0, 2).is_newer(ImageVersion(1, 0, 0, 1))
    assert ImageVersion(1, 0, 0, 2).is_newer(ImageVersion(1, 0, 0, 1), build=True)
    assert not ImageVersion(1, 0, 0, 9).is_newer(ImageVersion(1, 0, 1, 0), build=True)


@given(offered=VERSIONS, running=VERSIONS, build=st.booleans())
def test_exactly_newer_versions_are_let_through(
    offered: ImageVersion, running: ImageVersion, build: bool
) -> None:
    if offered.is_newer(running, build=build):
        require_newer(offered, running, build=build)
    else:
        with pytest.raises(RollbackError, match=r"the same as|older than"):
            require_newer(offered, running, build=build)


def test_a_refusal_says_whether_it_is_older_or_the_same() -> None:
    with pytest.raises(
        RollbackError, match=r"^image: version 1\.0\.0\+5 is the same as the running"
    ):
        require_newer(ImageVersion(1, 0, 0, 5), ImageVersion(1))
    with pytest.raises(
        RollbackError, match=r"^image: version 1\.0\.0\+0 is older than the running"
    ):
        require_newer(ImageVersion(1), ImageVersion(1, 1))
