import argparse
import pathlib
import socket
import sys

import pytest

from lorafuota.cli.arguments import InputError, Parser
from lorafuota.cli.conformsubject import add_ways, connector, python_object, seconds
from lorafuota.conformance.subject import SubjectError


def parsed(*words: str) -> argparse.Namespace:
    parser = Parser()
    add_ways(parser, "Subject")
    return parser.parse_args(words)


def test_a_program_is_started_with_its_own_options() -> None:
    code = "import sys; print(sys.argv[1:])"
    args = parsed("--timeout", "20", "--exec", sys.executable, "-c", code, "--timeout", "-x")
    assert args.timeout == 20.0
    channel = connector(args)()
    assert channel.receive(20.0) == b"['--timeout', '-x']"
    channel.close()


def test_whoever_listens_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        channel = connector(parsed("--tcp", f"127.0.0.1:{server.getsockname()[1]}"))()
        channel.close()


def test_an_address_of_version_6_stands_in_brackets() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        channel = connector(parsed("--tcp", f"[::1]:{server.getsockname()[1]}"))()
        channel.close()


@pytest.mark.parametrize("text", ["localhost", ":1", "host:x", "host:65536", "host:"])
def test_an_address_without_host_or_port_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--tcp takes HOST:PORT"):
        connector(parsed("--tcp", text))


def test_exec_takes_a_program() -> None:
    with pytest.raises(InputError, match="--exec takes a program"):
        connector(parsed("--exec"))


def test_an_object_in_the_present_directory_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "somebodys_module.py").write_text("thing = 7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert python_object(parsed("--python", "somebodys_module:thing")) == 7
    with pytest.raises(SubjectError, match="somebodys_module has no other"):
        python_object(parsed("--python", "somebodys_module:other"))


def test_seconds_are_a_number_above_0() -> None:
    assert seconds("0.5") == 0.5
    for text in ("0", "-1", "nan", "inf", "soon"):
        with pytest.raises(argparse.ArgumentTypeError, match="a number of seconds above 0"):
            seconds(text)
