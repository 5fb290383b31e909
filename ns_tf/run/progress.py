"""How far long work has come: a bar on a terminal, a line now and then elsewhere."""

import contextlib
import datetime
import numbers
import os
import sys
import time
from typing import Any, TextIO

import tqdm


class Quiet:
    """Says nothing; the default of library code, which never prints by itself.

    Library code takes `progress: type = Quiet` and does
    `with progress(total, label="prune", unit="events") as bar: ... bar.update()`.
    """

    def __init__(self, total: int | None, *, label: str, unit: str, initial: int = 0):
        self.total, self.label, self.unit, self.initial = total, label, unit, initial

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def update(self, n: int = 1, **values: Any) -> None:
        """Counts n more units done; the values are shown as they stand then."""


class Progress(Quiet):
    """Shows count, share, values, time spent and time left on standard error.

    On a terminal a tqdm bar; elsewhere a line every `every` seconds and one at the
    end. An update that shows nothing costs about a microsecond.

    Args:
        total: Units in all; None if unknown.
        label: What is done.
        unit: What is counted, in the plural.
        initial: Units that an earlier run did; time left is told from this run's rate.
        stream: Where to; standard error if None.
        every: Seconds between two lines.
    """

    def __init__(
        self,
        total: int | None,
        *,
        label: str,
        unit: str,
        initial: int = 0,
        stream: TextIO | None = None,
        every: float = 5.0,
    ):
        super().__init__(total, label=label, unit=unit, initial=initial)
        self._stream = sys.stderr if stream is None else stream
        self._bar = None
        self._every = every
        self._done = initial
        self._shown: int | None = None  # Count in the last line.
        self._values: dict[str, Any] = {}

    def __enter__(self):
        self._start = time.monotonic()
        if self._stream.isatty():
            self._bar, self._every = self._make_bar(), 0.1
        self._due = self._start + self._every
        return self

    def _make_bar(self):

        columns = 0
        with contextlib.suppress(OSError):
            columns = os.get_terminal_size(self._stream.fileno()).columns
        return tqdm.tqdm(
            total=self.total,
            initial=self.initial,
            desc=self.label,
            unit=f" {self.unit}",
            file=self._stream,
            # A terminal that says it has no columns would get empty bars.
            dynamic_ncols=columns > 0,
            ncols=None if columns else 80,
            mininterval=0,
            leave=None,  # A bar inside a bar goes away when it is done.
        )

    def update(self, n: int = 1, **values: Any) -> None:
        """Counts n more units done; the values are shown as they stand then."""
        self._done += n
        if values:
            self._values.update(values)
        if time.monotonic() >= self._due:
            self._show()

    def __exit__(self, *exception):
        if self._shown != self._done:
            self._show()
        if self._bar is not None:
            self._bar.close()

    def _show(self) -> None:
        # A terminal or log that went away must not end hours of work.
        with contextlib.suppress(OSError):
            if self._bar is None:
                print(self._line(), file=self._stream, flush=True)
            else:
                self._bar.set_postfix_str(", ".join(self._told()), refresh=False)
                self._bar.update(self._done - self._bar.n)
        self._shown = self._done
        self._due = time.monotonic() + self._every

    def _told(self) -> list[str]:
        return [f"{name}={_short(value)}" for name, value in self._values.items()]

    def _line(self) -> str:
        elapsed = time.monotonic() - self._start
        count = f"{self._done} {self.unit}"
        times = [f"{_clock(elapsed)} elapsed"]
        if self.total:
            share = 100 * self._done // self.total
            count = f"{self._done}/{self.total} {self.unit} ({share}%)"
            here = self._done - self.initial
            if here > 0 and self._done < self.total:
                left = elapsed * (self.total - self._done) / here
                times.append(f"{_clock(left)} left")
        return f"{self.label}: {', '.join([count, *self._told(), *times])}"


def _short(value: Any) -> str:
    if isinstance(value, (str, bool, numbers.Integral)):
        return str(value)
    return f"{float(value):.4g}"  # Also tensors and arrays of one number.


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
