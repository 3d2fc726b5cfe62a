import pytest

from lorafuota import DOWNLINK, UPLINK
from lorafuota.dissect.capture import Frame
from lorafuota.errors import FieldError


def test_a_frame_needs_a_payload_with_its_port_or_a_phypayload() -> None:
    assert Frame(direction=UPLINK, fport=201, payload=b"\x00").phy is None
    assert Frame(direction=DOWNLINK, phy=b"\x60").payload is None
    with pytest.raises(FieldError, match="a payload with its port, or a PHYPayload"):
        Frame(direction=UPLINK, payload=b"\x00")
    with pytest.raises(FieldError, match="a payload with its port, or a PHYPayload"):
        Frame(direction=UPLINK, fport=201)


@pytest.mark.parametrize("fport", [-1, 256])
def test_a_port_is_0_to_255(fport: int) -> None:
    with pytest.raises(FieldError, match=f"fport.*{fport}"):
        Frame(direction=UPLINK, fport=fport, payload=b"")
