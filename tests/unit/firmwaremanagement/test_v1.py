from __future__ import annotations

from typing import Any

import pytest

from lorafuota import FieldError, TruncatedError
from lorafuota.firmwaremanagement import v1
from lorafuota.types import UPLINK
from lorafuota.wire import Command
from tests.support import direction, vectors

TS006 = vectors("ts006")
LENIENT = {one["id"]: one for one in TS006["lenient_and_invalid"]}


def describe(command: Command) -> dict[str, Any]:
    """The message in the vectors' words."""
    fields: dict[str, Any] = {}
    for field in type(command).KINDS:
        value = getattr(command, field)
        if field == "errors":
            fields["error_no_valid_image"] = v1.DeleteError.NO_VALID_IMAGE in value
            fields["error_invalid_version"] = v1.DeleteError.INVALID_VERSION in value
        elif value is not None:
            fields[field] = int(value)
    return {"command": type(command).__name__, "fields": fields}


@pytest.mark.parametrize("vector", TS006["codec"], ids=lambda v: v["id"])
def test_every_vector_decodes_to_its_fields_and_encodes_to_its_octets(
    vector: dict[str, Any],
) -> None:
    way = direction(vector["direction"])
    parsed = v1.PACKAGE.parse(bytes.fromhex(vector["hex"]), way, strict=True)
    commands = [one for one in parsed if isinstance(one, Command)]
    assert [describe(one) for one in commands] == vector["commands"]
    assert v1.PACKAGE.join(commands).hex() == vector["hex"]


@pytest.mark.parametrize("vector", LENIENT.values(), ids=lambda v: v["id"])
def test_invalid_octets_are_refused_and_reserved_bits_ignored(vector: dict[str, Any]) -> None:
    octets, way = bytes.fromhex(vector["hex"]), direction(vector["direction"])
    if vector["expect"] == "reject":
        with pytest.raises(TruncatedError):
            v1.PACKAGE.parse(octets, way, strict=True)
        return
    [command] = v1.PACKAGE.parse(octets, way)
    canonical = {
        "upgrade-ans-rfu": "0401",
        "upgrade-ans-rfu3": "040373190117",
        "delete-ans-rfu": "0501",
    }
    assert isinstance(command, Command)
    assert command.encode().hex() == canonical[vector["id"]]


def test_a_version_goes_with_a_valid_image_only() -> None:
    with pytest.raises(FieldError, match="next_firmware_version = None"):
        v1.DevUpgradeImageAns(up_image_status=v1.UpImageStatus.VALID, next_firmware_version=None)
    with pytest.raises(FieldError, match="expected None unless up_image_status is 3"):
        v1.DevUpgradeImageAns(up_image_status=v1.UpImageStatus.NO_IMAGE, next_firmware_version=1)


def test_enumerations_travel_as_names_or_numbers_in_json() -> None:
    answer = v1.DevDeleteImageAns(errors=v1.DeleteError(3))
    assert answer.to_json() == {"errors": ["NO_VALID_IMAGE", "INVALID_VERSION"]}
    assert v1.DevDeleteImageAns.from_json({"errors": 3}) == answer
    assert v1.PACKAGE.parse(answer.encode(), UPLINK, strict=True) == [answer]
