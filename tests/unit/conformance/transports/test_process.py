import sys
import time

import pytest

from lorafuota.conformance.subject import SubjectError
from lorafuota.conformance.transports.process import ProcessChannel


def python(code: str) -> ProcessChannel:
    return ProcessChannel([sys.executable, "-u", "-c", code])


def test_lines_go_in_and_come_out() -> None:
    channel = python("while True: print(input().upper())")
    for word in ("one", "two"):
        channel.send(word)
        assert channel.receive(20.0) == word.upper().encode()
    assert channel.receive(0.01) is None
    channel.close()
    channel.close()


def test_a_program_that_cannot_be_started_is_named() -> None:
    with pytest.raises(SubjectError, match=r"'./not-there' cannot be started: No such file"):
        ProcessChannel(["./not-there"])
    with pytest.raises(SubjectError, match="cannot be started"):
        ProcessChannel(["\0"])


def test_a_program_that_ends_says_how_and_what_it_said() -> None:
    channel = python(
        "import sys; print('bye'); sys.stderr.write('x' * 9000 + ' no flash'); exit(3)"
    )
    assert channel.receive(20.0) == b"bye"
    for _ in range(2):
        with pytest.raises(SubjectError, match="the program ended with status 3"):
            channel.receive(20.0)
    channel.close()
    words = channel.last_words()
    assert (len(words), words[-9:]) == (4096, " no flash")


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_program_that_crashes_is_told_from_one_that_ends() -> None:
    channel = python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(SubjectError, match="the program was ended by signal 11"):
        channel.receive(20.0)
    with pytest.raises(SubjectError, match="the program was ended by signal 11"):
        channel.send("hello?")
    channel.close()


def test_a_program_that_closes_its_output_and_stays_is_ended() -> None:
    channel = python("import os, time; os.close(1); time.sleep(600)")
    with pytest.raises(SubjectError, match="the program closed its output"):
        channel.receive(20.0)
    began = time.monotonic()
    channel.close()
    assert time.monotonic() - began < 10


def test_a_program_that_closes_its_input_and_stays_is_told_so() -> None:
    channel = python("import os, time; os.close(0); print('deaf'); time.sleep(600)")
    assert channel.receive(20.0) == b"deaf"
    with pytest.raises(SubjectError, match="the program does not read its input any more"):
        channel.send("hello?")
    channel.close()


def test_what_has_no_line_feed_is_kept() -> None:
    channel = python("import sys; sys.stdout.write('one\\ntw')")
    assert channel.receive(20.0) == b"one"
    with pytest.raises(SubjectError, match="the program ended with status 0"):
        channel.receive(20.0)
    assert channel.unfinished() == b"tw"
    channel.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups")
def test_children_of_a_program_end_with_it() -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid)\n"
        "child.wait()"
    )
    channel = python(code)
    line = channel.receive(20.0)
    assert line is not None
    child = int(line)
    channel.close()
    import os

    gone = False
    for _ in range(200):
        try:
            os.kill(child, 0)
            with open(f"/proc/{child}/stat", encoding="ascii") as stat:
                gone = stat.read().rsplit(")", 1)[1].split()[0] == "Z"
        except (ProcessLookupError, FileNotFoundError):
            gone = True
        if gone:
            break
        time.sleep(0.05)
    assert gone


def test_a_program_that_floods_is_ended_all_the_same() -> None:
    channel = python("while True: print('x' * 1000)")
    assert channel.receive(20.0) == b"x" * 1000
    began = time.monotonic()
    channel.close()
    assert time.monotonic() - began < 10
