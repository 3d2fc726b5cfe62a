import argparse
import socket
import sys
import threading

import pytest

from lorafuota.cli.arguments import InputError, Parser
from lorafuota.cli.conformsubject import add_subject, open_device
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.serving import answers
from lorafuota.conformance.subject import Reply, SubjectError
from tests.unit.conformance.test_own import power_on


def parsed(*words: str) -> argparse.Namespace:
    parser = Parser()
    add_subject(parser)
    return parser.parse_args(words)


def test_a_device_that_listens_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer, peer.makefile("rwb") as file:
                for line in answers(OwnDevice("documents v1"), file):
                    file.write(line.encode() + b"\n")
                    file.flush()

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        with open_device(parsed("--tcp", f"127.0.0.1:{port}")) as device:
            assert device.about == OwnDevice("documents v1").about
            assert device.exchange(power_on(0.0)) == Reply()
        thread.join(20)


@pytest.mark.parametrize("text", ["localhost", ":1", "host:x", "host:65536", "host:"])
def test_an_address_without_host_or_port_is_refused(text: str) -> None:
    with (
        pytest.raises(InputError, match="--tcp takes HOST:PORT"),
        open_device(parsed("--tcp", text)),
    ):
        pass


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="--exec takes a program"), open_device(parsed("--exec")):
        pass
    for words in (("--own", "documents v1"), ("--python", "a:b")):
        with (
            pytest.raises(InputError, match="--real-time is for a device that speaks lines"),
            open_device(parsed("--real-time", *words)),
        ):
            pass


def test_a_serial_port_that_is_not_there_is_named() -> None:
    pytest.importorskip("serial", reason="a serial port needs lorafuota[serial]")
    with (
        pytest.raises(SubjectError, match="/dev/not-there cannot be opened"),
        open_device(parsed("--serial", "/dev/not-there", "--baud", "9600")),
    ):
        pass


def test_a_program_is_ended_with_its_options_its_own() -> None:
    code = "import sys; print(sys.argv[1:], file=sys.stderr)"
    with (
        pytest.raises(SubjectError, match=r"no hello: .* error: \['--json', '-x'\]"),
        open_device(
            parsed("--timeout", "20", "--exec", sys.executable, "-c", code, "--json", "-x")
        ),
    ):
        pass
