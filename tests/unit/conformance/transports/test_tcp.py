import socket

import pytest

from lorafuota.conformance.subject import SubjectError
from lorafuota.conformance.transports.tcp import TcpChannel


def connected() -> tuple[TcpChannel, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        channel = TcpChannel("127.0.0.1", server.getsockname()[1])
        peer, _ = server.accept()
    return channel, peer


def test_lines_go_there_and_come_back() -> None:
    channel, peer = connected()
    with peer:
        channel.send("hello")
        assert peer.recv(100) == b"hello\n"
        peer.sendall(b"one\ntw")
        assert channel.receive(20.0) == b"one"
        assert channel.receive(0.01) is None
        assert channel.receive(0.0) is None
        assert channel.unfinished() == b"tw"
        peer.sendall(b"o\n")
        assert channel.receive(20.0) == b"two"
    with pytest.raises(SubjectError, match="the subject closed the connection"):
        channel.receive(20.0)
    assert channel.last_words() == ""
    channel.close()
    channel.close()
    with pytest.raises(SubjectError, match="the connection is lost"):
        channel.send("anybody?")
    with pytest.raises(SubjectError, match="the connection is lost"):
        channel.receive(1.0)


def test_a_port_where_nobody_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SubjectError, match=f"127.0.0.1:{port} cannot be reached: "):
        TcpChannel("127.0.0.1", port)
