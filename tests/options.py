"""Config classes with an option of every type, and their values for properties."""

import dataclasses

from absl import flags
from hypothesis import strategies as st

from ns_tf.run import flags as run_flags
from ns_tf.run.option import LARGEST_WHOLE, option


@dataclasses.dataclass(frozen=True)
class Every:
    """One option of every type."""

    filters: int = option(7, "Filters removed at once.")
    rate: float = option(0.1, "Step size.")
    criterion: str = option("taylor", "Worth.", choices=["taylor", "l1"])
    name: str = option("a=b", "Name.")
    xla: bool = option(False, "Compile.")
    params: int | None = option(None, "Parameters at most.")
    latency: float | None = option(2.5, "Milliseconds at most.")
    run_dir: str | None = option(None, "Folder.", identity=False)
    widths: tuple[int, ...] = option((2, 3), "Widths.")
    rates: tuple[float, ...] = option((), "Rates.")
    formats: tuple[str, ...] = option(("tf",), "Formats.")


@dataclasses.dataclass(frozen=True)
class Other:
    filters: int = option(7, "Filters removed at once.")
    threads: int = option(1, "Threads.", identity=False)


def parsed(*arguments, config_class=Every):
    """The config that these flags make, read by absl."""
    values = flags.FlagValues()
    run_flags.define(config_class, flag_values=values)
    values(["command", *arguments])
    return run_flags.read(config_class, flag_values=values)


def one_option(annotation, default, **about):
    """A config class with the option x."""
    field = option(default, about.pop("help", "Help."), **about)
    return dataclasses.make_dataclass("One", [("x", annotation, field)], frozen=True)


# Text that a line of a flagfile can hold: nothing that ends it, no blank at its end.
line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n")).filter(
    lambda text: text == text.rstrip()
)
whole = st.integers(-LARGEST_WHOLE, LARGEST_WHOLE)
part = st.text("abc=-#. é", min_size=1).filter(lambda text: text == text.strip())
configs = st.builds(
    Every,
    filters=whole,
    rate=st.floats(),
    criterion=st.sampled_from(["taylor", "l1"]),
    name=line,
    xla=st.booleans(),
    params=st.none() | whole,
    latency=st.none() | st.floats(),
    run_dir=st.none() | line.filter(bool),
    widths=st.lists(whole).map(tuple),
    rates=st.lists(st.floats()).map(tuple),
    formats=st.lists(part).map(tuple),
)
