"""A bar on a terminal, lines in a pipe, nothing at all."""

import io
import os
import select
import time

import numpy as np
import pytest

from ns_tf.run.progress import Progress, Quiet


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Gone(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def lines_of(clock, *, total, seconds, initial=0, steps=None, **values):
    stream = io.StringIO()
    meter = Progress(stream)
    with meter.bar(total, label="prune", unit="events", initial=initial) as bar:
        for _ in range(total - initial if steps is None else steps):
            clock.now += seconds
            bar.update(**values)
    return stream.getvalue().splitlines()


def test_a_pipe_gets_a_line_every_five_seconds_and_one_at_the_end(clock):
    lines = lines_of(clock, total=113, seconds=0.25)
    assert len(lines) == 113 * 0.25 // 5 + 1
    assert lines[0].startswith("prune: 20/113 events (17%), 0:00:05 elapsed")
    assert lines[-1] == "prune: 113/113 events (100%), 0:00:28 elapsed"


def test_short_work_is_one_line(clock):
    lines = lines_of(clock, total=7, seconds=0.01, loss=np.float32(0.5), filters=532)
    assert lines == ["prune: 7/7 events (100%), loss=0.5, filters=532, 0:00:00 elapsed"]


def test_the_last_line_is_not_told_twice(clock):
    lines = lines_of(clock, total=2, seconds=5)
    assert [line.split(",")[0] for line in lines] == [
        "prune: 1/2 events (50%)",
        "prune: 2/2 events (100%)",
    ]


def test_time_left_is_told_from_the_rate_of_this_run(clock):
    # 900 of 1000 were done before; 10 take 50 seconds, so 90 more take 450.
    lines = lines_of(clock, total=1000, initial=900, seconds=5, steps=10)
    assert lines[-1] == "prune: 910/1000 events (91%), 0:00:50 elapsed, 0:07:30 left"


def test_nothing_done_tells_no_time_left(clock):
    lines = lines_of(clock, total=5, seconds=1, steps=0)
    assert lines == ["prune: 0/5 events (0%), 0:00:00 elapsed"]


def test_a_total_may_be_unknown(clock):
    stream = io.StringIO()
    with Progress(stream).bar(None, label="read", unit="images") as bar:
        bar.update(17)
    assert stream.getvalue() == "read: 17 images, 0:00:00 elapsed\n"


def test_values_stay_until_they_change(clock):
    stream = io.StringIO()
    with Progress(stream).bar(3, label="fit", unit="steps") as bar:
        bar.update(loss=0.123456, phase="warm-up")
        bar.update(loss=0.1)
    assert "2/3 steps (66%), loss=0.1, phase=warm-up" in stream.getvalue()


def test_work_that_fails_tells_how_far_it_came(clock):
    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError):
        with Progress(stream).bar(3, label="fit", unit="steps") as bar:
            bar.update()
            raise ZeroDivisionError
    assert stream.getvalue().startswith("fit: 1/3 steps (33%)")


def test_a_terminal_gets_a_bar():
    stream = Terminal()
    with Progress(stream).bar(3, label="fit", unit="steps", initial=1) as bar:
        bar.update(2, loss=0.25)
    last = stream.getvalue().rstrip("\n").split("\r")[-1]
    assert "fit: 100%" in last
    assert "3/3" in last
    assert "loss=0.25" in last


def test_a_terminal_of_no_columns_gets_a_bar_too():
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as stream:
        with Progress(stream).bar(3, label="fit", unit="steps") as bar:
            bar.update(3)
        written = b""
        # The system hands on what was written in parts, each when it comes to it.
        while b"fit: 100%" not in written and select.select([master], [], [], 9)[0]:
            written += os.read(master, 4096)
        assert b"fit: 100%" in written
    os.close(master)


def test_a_reader_that_went_away_does_not_end_the_work(clock):
    with Progress(Gone()).bar(3, label="fit", unit="steps") as bar:
        clock.now += 60
        bar.update()
    assert bar.work.done == 1


def test_quiet_takes_the_same_calls_and_says_nothing(capfd):
    with Quiet().bar(3, label="fit", unit="steps", initial=1) as bar:
        bar.update(2, loss=0.5)
    assert capfd.readouterr() == ("", "")


def test_an_update_that_shows_nothing_is_cheap():
    count = 20_000
    best = np.inf
    for _ in range(5):
        with Progress(io.StringIO()).bar(count, label="x", unit="y") as bar:
            start = time.perf_counter()
            for step in range(count):
                bar.update(loss=0.5, filters=step)
            best = min(best, time.perf_counter() - start)
    assert best / count < 5e-6


def test_one_meter_shows_one_piece_of_work_after_another(clock):
    stream = io.StringIO()
    meter = Progress(stream, every=2.0)
    for label, total in (("prune", 3), ("train", 2)):
        with meter.bar(total, label=label, unit="steps") as bar:
            for _ in range(total):
                clock.now += 1.5
                bar.update()
    assert [line.split(",")[0] for line in stream.getvalue().splitlines()] == [
        "prune: 2/3 steps (66%)",
        "prune: 3/3 steps (100%)",
        "train: 2/2 steps (100%)",
    ]


def test_without_a_stream_it_is_standard_error_as_it_then_is(capsys):
    meter = Progress()
    with meter.bar(3, label="fit", unit="steps") as bar:
        bar.update(3)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("fit: 3/3 steps (100%)")


def test_arrays_and_tensors_of_one_number_are_shown_as_numbers(clock):
    lines = lines_of(clock, total=1, seconds=0, a=np.array(0.25), b=np.int64(7), c=True)
    assert "a=0.25, b=7, c=True" in lines[0]
