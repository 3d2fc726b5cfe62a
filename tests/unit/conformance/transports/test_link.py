import pytest

from lorafuota.conformance.lines import DEVICE_EVENTS, DEVICE_REQUESTS
from lorafuota.conformance.replies import DeviceRules
from lorafuota.conformance.subject import (
    About,
    Advance,
    DeviceEvent,
    DeviceRequest,
    SubjectError,
    Uplink,
)
from lorafuota.conformance.transports.link import LineLink
from tests.unit.conformance.test_own import power_on
from tests.unit.conformance.transports.support import ABOUT, DONE, HELLO, Scripted, event

Link = LineLink[DeviceRequest, DeviceEvent, About]


def link(*channels: Scripted, seconds: float = 30.0) -> Link:
    waiting = list(channels)
    return LineLink(
        lambda: waiting.pop(0),
        role="device",
        about=About,
        requests=DEVICE_REQUESTS,
        events=DEVICE_EVENTS,
        rules=DeviceRules(),
        seconds=seconds,
    )


def uplink(time: float) -> str:
    return event("uplink", time=time, fport=1, payload="")


def test_events_come_until_the_done() -> None:
    channel = Scripted([HELLO], [uplink(1.0), uplink(2.0), event("done", next=9.0)])
    one = link(channel)
    assert one.about == ABOUT
    assert one.exchange(Advance(2.0)) == ((Uplink(1.0, 1, b""), Uplink(2.0, 1, b"")), 9.0)
    assert channel.heard == [
        '{"request": "hello", "lorafuota": 1}',
        '{"request": "advance", "time": 2.0}',
    ]
    one.close()
    one.close()
    assert channel.closed == 1
    with pytest.raises(SubjectError, match="the link to the subject is broken"):
        one.exchange(Advance(3.0))


def test_what_a_board_says_while_it_starts_is_stepped_over() -> None:
    noise: list[str | bytes] = [b"\xff\xfe", "boot 1.2", "", "# comment", '{"log": 1}', "3", HELLO]
    assert link(Scripted(noise)).about == ABOUT


def test_a_board_that_slept_through_the_hello_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lorafuota.conformance.transports.link._ASK_AGAIN_SECONDS", 0.01)
    late = Scripted([], ["boot"], [HELLO], [HELLO, HELLO, uplink(1.0), DONE], [HELLO])
    one = link(late)
    assert late.heard == ['{"request": "hello", "lorafuota": 1}'] * 3
    assert one.exchange(Advance(1.0)) == ((Uplink(1.0, 1, b""),), None)
    with pytest.raises(SubjectError, match="came 'hello'"):
        one.exchange(Advance(2.0))


def test_a_subject_that_is_gone_before_its_hello_is_none() -> None:
    with pytest.raises(SubjectError, match="no hello: it is gone"):
        link(Scripted())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (HELLO.replace('"event"', '"events"'), """it said: '{"events": "hello", "lorafuota": 1,"""),
        ('{"events": "hello"}', """it said: '{"events": "hello"}', which has no "event\""""),
        ('{"event": "helo"}', """it said: '{"event": "helo"}', whose "event" is not "hello\""""),
        ('{"event": "error"}', """it said: '{"event": "error"}', whose "event" is not "hello\""""),
        ("{}", """it said: '{}', which has no "event\""""),
        (
            '{"request": "hello", "lorafuota": 1}',
            """it said: '{"request": "hello", "lorafuota": 1}', a request that comes back: sw""",
        ),
        ("boot", "it said beside its lines: boot"),
    ],
)
def test_what_came_in_the_place_of_a_hello_is_told(line: str, sentence: str) -> None:
    with pytest.raises(SubjectError) as error:
        link(Scripted([line]), seconds=0.05)
    assert "no hello: other lines only within 0.05 s; " + sentence in str(error.value)


def test_what_came_in_the_place_of_a_hello_is_told_on_one_line_and_shortened() -> None:
    with pytest.raises(SubjectError) as error:
        link(Scripted(['{"a": "\x7f' + "x" * 500 + '"}']), seconds=0.05)
    text = str(error.value)
    assert text.isprintable()
    assert len(text) < 350


def test_lines_without_a_line_feed_are_told() -> None:
    silent = Scripted([])
    silent.rest = HELLO.encode()
    with pytest.raises(SubjectError) as error:
        link(silent, seconds=0.05)
    shown = f"no hello: nothing within 0.05 s; it said without a line feed: '{HELLO[:50]}"
    assert str(error.value).startswith(shown)
    late = Scripted([HELLO], [])
    one = link(late, seconds=0.05)
    late.rest = DONE.encode()
    with pytest.raises(SubjectError) as error:
        one.exchange(Advance(1.0))
    assert str(error.value) == (
        f"""no "done" within 0.05 s of Advance; it said without a line feed: '{DONE}'"""
    )


def test_a_line_that_has_only_begun_is_no_reason_where_another_was_wrong() -> None:
    channel = Scripted([HELLO], ["oh"])
    channel.rest = b'{"ev'
    with pytest.raises(SubjectError) as error:
        link(channel).exchange(Advance(1.0))
    assert str(error.value) == "the subject says 'oh': a line that is no JSON"


def test_what_came_before_a_hello_is_forgotten_behind_it() -> None:
    one = link(Scripted(["{}", HELLO], ["oh"]))
    with pytest.raises(SubjectError) as error:
        one.exchange(Advance(1.0))
    assert str(error.value) == "the subject says 'oh': a line that is no JSON"


def test_control_characters_of_a_subject_are_shown_escaped() -> None:
    one = link(Scripted([HELLO], [event("error", reason="\x1b]0;t\x07\nall passed")]))
    with pytest.raises(SubjectError) as error:
        one.exchange(Advance(1.0))
    assert str(error.value) == r"the subject gives up: \x1b]0;t\x07\nall passed"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([], "no hello: nothing within 0.05 s"),
        (["noise"] * 1_000, "no hello: 1000 other lines came; it said beside its lines: noise"),
        (["# noise"] * 1_000, "no hello: more than 1000 comments came in a row"),
        ([HELLO.replace("device", "server")], 'no hello: hello: "role": expected "device"'),
        ([HELLO.replace("fragmentation", "other")], "no hello: hello: package.name = 'other'"),
    ],
)
def test_a_subject_that_does_not_say_hello_is_none(said: list[str], sentence: str) -> None:
    channel = Scripted(said)
    with pytest.raises(SubjectError, match=sentence):
        link(channel, seconds=30.0 if said else 0.05)
    assert channel.closed == 1


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([uplink(1.0)], 'no "done" within 0.05 s of Advance'),
        (["oh"], "the subject says 'oh': a line that is no JSON"),
        ([b"\xff" * 500], "a line that is no UTF-8"),
        (['{"event": "landed"}'], "expected one of .*; came 'landed'"),
        ([HELLO], "came 'hello'"),
        ([uplink(2.0), uplink(1.0), DONE], "Uplink is of 1.0, but it was 2.0 before"),
        ([uplink(5.0), DONE], "Uplink is of 5.0, which is yet to come at 3.0"),
        ([event("error", reason="no such request")], "the subject gives up: no such request"),
        ([uplink(1.0)] * 10_001, "more than 10000 events came for one request"),
        (["# hm"] * 1_001, "more than 1000 comments"),
    ],
)
def test_whatever_is_not_as_it_should_be_ends_the_link(
    said: list[str | bytes], sentence: str
) -> None:
    channel = Scripted([HELLO], said)
    one = link(channel, seconds=0.05 if "within 0.05 s" in sentence else 30.0)
    with pytest.raises(SubjectError, match=sentence):
        one.exchange(Advance(3.0))
    assert channel.closed == 1
    with pytest.raises(SubjectError, match="the link to the subject is broken"):
        one.exchange(Advance(4.0))


def test_what_comes_after_a_done_belongs_to_no_request() -> None:
    one = link(Scripted([HELLO], [DONE, "# a comment may come", DONE], [DONE]))
    one.exchange(Advance(1.0))
    with pytest.raises(SubjectError, match="Done came, which belongs to no request"):
        one.exchange(Advance(2.0))


def test_time_that_went_by_in_a_request_does_not_come_back() -> None:
    one = link(Scripted([HELLO], [DONE], [uplink(2.0), DONE]))
    one.exchange(Advance(3.0))
    with pytest.raises(SubjectError, match=r"Uplink is of 2.0, but it was 3.0 before"):
        one.exchange(Advance(4.0))


def test_a_broken_link_says_what_the_subject_said_besides() -> None:
    channel = Scripted([HELLO], ["# stack overflow", "oh"])
    channel.words = "core dumped"
    with pytest.raises(SubjectError) as error:
        link(channel).exchange(Advance(1.0))
    assert str(error.value) == (
        "the subject says 'oh': a line that is no JSON; it said beside its lines: "
        "# stack overflow; it said on standard error: core dumped"
    )


def test_a_key_that_comes_back_is_not_shown() -> None:
    request = power_on(0.0)
    key = request.root_key.reveal().hex()
    echo = DEVICE_REQUESTS.encode(request)
    channel = Scripted([HELLO], [f"# got {key}", echo])
    channel.words = f"key {key.upper()}"
    with pytest.raises(SubjectError) as error:
        link(channel).exchange(request)
    text = str(error.value)
    assert "requests come back; switch the echo off" in text
    cut = link(Scripted([HELLO], [event("error", reason="x" * 230 + key)]))
    with pytest.raises(SubjectError) as second:
        cut.exchange(request)
    assert str(second.value).endswith("x(key)")
    assert text.count("(key)") == 3
    assert key not in text.lower()


def test_a_link_that_broke_begins_anew_and_one_that_did_not_goes_on() -> None:
    one = link(Scripted([HELLO], [DONE], ["oh"]), Scripted([HELLO], [uplink(0.5), DONE]))
    one.exchange(Advance(7.0))
    one.begin()
    with pytest.raises(SubjectError):
        one.exchange(Advance(1.0))
    one.begin()
    assert one.exchange(Advance(1.0)) == ((Uplink(0.5, 1, b""),), None)


def test_a_subject_that_is_another_one_after_a_restart_is_refused() -> None:
    other = HELLO.replace("scripted", "other")
    one = link(Scripted([HELLO]), Scripted([other]))
    with pytest.raises(SubjectError, match="it is gone"):
        one.exchange(Advance(1.0))
    with pytest.raises(SubjectError, match="says something else of itself than before"):
        one.begin()


def test_with_a_stamp_an_event_is_of_the_moment_it_came() -> None:
    unasked = [HELLO, event("uplink", fport=1, payload=""), uplink(-5.0)]
    one = link(Scripted(unasked, [uplink(99.0), DONE]))
    one.stamp = lambda: 50.0
    came = Uplink(50.0, 1, b"")
    assert one.collect(0.0) == (came, came)
    assert one.collect(0.0) == ()
    assert one.exchange(Advance(0.0)) == ((came,), None)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (DONE, 'a "done" came that belongs to no request'),
        (event("error", reason="hot"), "the subject gives up: hot"),
        ("{}", "came nothing"),
    ],
)
def test_what_comes_unasked_is_looked_at_just_as_much(said: str, sentence: str) -> None:
    one = link(Scripted([HELLO, said]))
    with pytest.raises(SubjectError, match=sentence):
        one.collect(0.0)


def test_events_without_end_that_nobody_asked_for_end_the_link() -> None:
    one = link(Scripted([HELLO, *[uplink(1.0)] * 10_001]))
    one.stamp = lambda: 1.0
    with pytest.raises(SubjectError, match="more than 10000 events came at once"):
        one.collect(0.0)
