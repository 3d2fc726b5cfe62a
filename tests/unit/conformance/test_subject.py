from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.subject import PowerOn
from lorafuota.types import GenAppKey


def test_a_request_with_a_key_does_not_show_it() -> None:
    key = GenAppKey(bytes(range(16)))
    request = PowerOn(
        time=0.0,
        factory=True,
        clock_known=True,
        dev_eui=DevEUI(1),
        dev_addr=DevAddr(2),
        root_key=key,
    )
    assert bytes(range(16)).hex() not in repr(request)
