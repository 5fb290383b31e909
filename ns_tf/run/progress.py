"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere.

Code that works takes a `Meter` and opens a `Bar` for each piece of work. Only commands
choose a meter that shows something.
"""

import contextlib
import datetime
import numbers
import os
import sys
import time
from typing import Any, Protocol, TextIO


class Bar:
    """Counts units of work and shows nothing; other bars derive from it.

    Used as a context, so that the terminal is left in order whatever happens::

        with progress.bar(total, label="prune", unit="steps") as bar:
            bar.update(1, loss=0.5)
    """

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def update(self, n: int = 1, **values: Any) -> None:
        """Counts n more units; the values are shown with the next line.

        Args:
            n: Units done since the last update.
            **values: What to show beside the count, by name: numbers or text.
        """


class Meter(Protocol):
    """What shows progress: `Quiet`, `Progress`, or any object with such a method."""

    def bar(self, total: int | None, *, label: str, unit: str, initial: int = 0) -> Bar:
        """A bar for one piece of work.

        Args:
            total: Units in all; None if unknown.
            label: What is done.
            unit: What is counted, in the plural.
            initial: Units that an earlier run did.
        """


class Quiet:
    """Shows nothing: the default of all functions of the library."""

    def bar(self, total: int | None, *, label: str, unit: str, initial: int = 0) -> Bar:
        """A bar that shows nothing."""
        del total, label, unit, initial
        return Bar()


class Progress:
    """Shows count, share, values, time spent and time left on a stream.

    A terminal gets a tqdm bar; another stream gets a line every `every` seconds and one
    at the end. An update that shows nothing costs about a microsecond.

    >>> with Progress(sys.stdout).bar(7, label="fit", unit="steps") as bar:
    ...     bar.update(7, loss=0.25)
    fit: 7/7 steps (100%), loss=0.25, 0:00:00 elapsed

    Args:
        stream: Where lines are written; if None, standard error as it is when a bar
            begins.
        every: Seconds between two lines.
    """

    def __init__(self, stream: TextIO | None = None, every: float = 5.0):
        self.stream = stream
        self.every = every

    def bar(self, total: int | None, *, label: str, unit: str, initial: int = 0) -> Bar:
        """A bar for one piece of work; arguments as of `Meter.bar`.

        The time left follows from the rate since the bar was opened, without the units
        of an earlier run.
        """
        stream = sys.stderr if self.stream is None else self.stream
        work = _Work(total, label, unit, initial)
        if stream.isatty():
            return _TerminalBar(work, stream)
        return _LineBar(work, stream, self.every)


class _Work:
    """One piece of work: what is counted, how many are done, the last values."""

    def __init__(self, total: int | None, label: str, unit: str, initial: int):
        self.total, self.label, self.unit = total, label, unit
        self.initial = self.done = initial
        self.values: dict[str, Any] = {}
        self.start = time.monotonic()

    def value_texts(self) -> list[str]:
        """The last values, each as name=value."""
        return [f"{name}={_short(value)}" for name, value in self.values.items()]

    def line(self) -> str:
        """Label, count, values and times in one line."""
        elapsed = time.monotonic() - self.start
        count = f"{self.done} {self.unit}"
        times = [f"{_clock(elapsed)} elapsed"]
        if self.total:
            share = 100 * self.done // self.total
            count = f"{self.done}/{self.total} {self.unit} ({share}%)"
            done_now = self.done - self.initial  # Without those of an earlier run.
            if done_now > 0 and self.done < self.total:
                remaining = elapsed * (self.total - self.done) / done_now
                times.append(f"{_clock(remaining)} left")
        return f"{self.label}: {', '.join([count, *self.value_texts(), *times])}"


class _ShownBar(Bar):
    """A bar that is shown every `every` seconds, and at its end."""

    def __init__(self, work: _Work, every: float):
        self.work, self.every = work, every
        self._shown: int | None = None  # The last count that was drawn.
        self._due = time.monotonic() + every

    def __enter__(self):
        self.work.start = time.monotonic()
        self._due = self.work.start + self.every
        return self

    def __exit__(self, *exception):
        if self._shown != self.work.done:
            self._show()

    def update(self, n: int = 1, **values: Any) -> None:
        """Counts n more units; draws if the last drawing is `every` seconds old."""
        self.work.done += n
        if values:
            self.work.values.update(values)
        if time.monotonic() >= self._due:
            self._show()

    def _show(self) -> None:
        """Draws; a terminal or log that was closed does not end the work."""
        with contextlib.suppress(OSError):
            self.draw()
        self._shown = self.work.done
        self._due = time.monotonic() + self.every

    def draw(self) -> None:
        """Writes the present state to the stream."""
        raise NotImplementedError


class _LineBar(_ShownBar):
    """For pipes and log files: a line of text at a time."""

    def __init__(self, work: _Work, stream: TextIO, every: float):
        super().__init__(work, every)
        self.stream = stream

    def draw(self) -> None:
        """Writes a line."""
        print(self.work.line(), file=self.stream, flush=True)


class _TerminalBar(_ShownBar):
    """For terminals: tqdm."""

    def __init__(self, work: _Work, stream: TextIO):
        super().__init__(work, every=0.1)
        self.stream = stream
        self._bar = None

    def __enter__(self):
        import tqdm  # Only terminals need it.

        columns = 0
        with contextlib.suppress(OSError):
            columns = os.get_terminal_size(self.stream.fileno()).columns
        work = self.work
        self._bar = tqdm.tqdm(
            total=work.total,
            initial=work.initial,
            desc=work.label,
            unit=f" {work.unit}",
            file=self.stream,
            # A terminal may say that it has 0 columns, which would make bars empty.
            dynamic_ncols=columns > 0,
            ncols=None if columns else 80,
            mininterval=0,
            leave=None,  # A bar inside a bar disappears when it is done.
        )
        return super().__enter__()

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self._bar.close()

    def draw(self) -> None:
        """Redraws the bar."""
        self._bar.set_postfix_str(", ".join(self.work.value_texts()), refresh=False)
        self._bar.update(self.work.done - self._bar.n)


def _short(value: Any) -> str:
    """A value in few characters; arrays and tensors must hold one number.

    >>> _short(0.123456), _short(532), _short("warm-up")
    ('0.1235', '532', 'warm-up')
    """
    if isinstance(value, (str, bool, numbers.Integral)):
        return str(value)
    return f"{float(value):.4g}"


def _clock(seconds: float) -> str:
    """Seconds as hours:minutes:seconds.

    >>> _clock(3723.4)
    '1:02:03'
    """
    return str(datetime.timedelta(seconds=round(seconds)))
