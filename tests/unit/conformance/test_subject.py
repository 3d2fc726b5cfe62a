from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.subject import PowerOn, build_image, read_image
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


def test_the_kits_image_says_what_state_it_is_in_and_which_version_it_has() -> None:
    image = build_image(3, 0x0102_0304)
    assert image == b"KITIMAGE\x03\x04\x03\x02\x01"
    assert read_image(image) == (3, 0x0102_0304)
    for other in (image[:-1], image + b"\0", b"X" + image[1:], build_image(4, 1)):
        assert read_image(other) is None
