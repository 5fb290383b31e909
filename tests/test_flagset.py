import dataclasses
import math

import pytest
from absl import flags
from hypothesis import given, settings
from hypothesis import strategies as st

from ns_tf.base import InputError
from ns_tf.data.config import DataConfig
from ns_tf.engine.config import RuntimeConfig
from ns_tf.run import flagfile
from ns_tf.run import flags as run_flags
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.option import option


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
    values = flags.FlagValues()
    run_flags.define(config_class, flag_values=values)
    values(["command", *arguments])
    return run_flags.read(config_class, flag_values=values)


def one_option(annotation, default, **about):
    field = option(default, about.pop("help", "Help."), **about)
    return dataclasses.make_dataclass("One", [("x", annotation, field)], frozen=True)


# Text that a line of a flagfile can hold: nothing that ends it, no blank at its end.
line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n")).filter(
    lambda text: text == text.rstrip()
)
part = st.text("abc=-#. é", min_size=1).filter(lambda text: text == text.strip())
configs = st.builds(
    Every,
    filters=st.integers(),
    rate=st.floats(),
    criterion=st.sampled_from(["taylor", "l1"]),
    name=line,
    xla=st.booleans(),
    params=st.none() | st.integers(),
    latency=st.none() | st.floats(),
    run_dir=st.none() | line.filter(bool),
    widths=st.lists(st.integers()).map(tuple),
    rates=st.lists(st.floats()).map(tuple),
    formats=st.lists(part).map(tuple),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("flags") / "run.flags"


@settings(max_examples=80)
@given(config=configs)
def test_a_flagfile_parses_back_to_the_same_config(config, path):
    path.write_text(as_flagfile([config]), encoding="utf-8")
    # repr: nan is not nan, and -0.0 is 0.0.
    assert repr(parsed(f"--flagfile={path}")) == repr(config)


@settings(max_examples=40)
@given(old=configs, new=configs)
def test_differences_are_empty_exactly_for_equal_configs(old, new):
    texts = [as_flagfile([config]) for config in (old, new)]
    assert flagfile.differences(texts[0], texts[0]) == []
    changed = flagfile.differences(*texts)
    fields = [f.name for f in dataclasses.fields(Every)]
    assert {line.split(":")[0][2:] for line in changed} == {
        name for name in fields if repr(getattr(old, name)) != repr(getattr(new, name))
    }


def test_differences_show_old_and_new_and_spare_the_ignored():
    old = as_flagfile([Other()])
    new = as_flagfile([Other(filters=11, threads=2)])
    assert flagfile.differences(old, new) == ["--filters: 7 -> 11", "--threads: 1 -> 2"]
    assert flagfile.differences(old, new, flagfile.changeable(Other)) == [
        "--filters: 7 -> 11"
    ]
    assert flagfile.differences("# --a=\n", "--a=5\n") == ["--a: not set -> 5"]


def test_flags_that_are_younger_than_the_run_had_their_defaults():
    known = flagfile.defaults(RuntimeConfig, DataConfig)
    old = as_flagfile([RuntimeConfig(seed=3), DataConfig()])
    older = "\n".join(
        line for line in old.split("\n") if not line.startswith("--precision")
    )
    retired = older + "--thin_below=0.8\n"
    for text in (old, older, retired):
        assert flagfile.differences(text, old, defaults=known) == []
    new = as_flagfile(
        [
            RuntimeConfig(seed=3, precision="mixed_bfloat16"),
            DataConfig(image_size=13),
        ]
    )
    assert sorted(flagfile.differences(retired, new, defaults=known)) == [
        "--image_size: not set -> 13",
        "--precision: float32 -> mixed_bfloat16",
    ]


def test_changeable_names_options_that_do_not_change_results():
    assert flagfile.changeable(Every, Other) == {"run_dir", "threads"}


def test_defaults_stand_once():
    assert parsed() == Every()


@pytest.mark.parametrize(
    "argument, name, value",
    [
        ("--filters=1_000", "filters", 1000),
        ("--rate=1e-3", "rate", 0.001),
        ("--rate=inf", "rate", math.inf),
        ("--xla", "xla", True),
        ("--noxla", "xla", False),
        ("--xla=true", "xla", True),
        ("--params=5", "params", 5),
        ("--params=", "params", None),
        ("--latency=", "latency", None),
        ("--name=", "name", ""),
        ("--widths=5, 7", "widths", (5, 7)),
        ("--widths=", "widths", ()),
        ("--formats=a,b", "formats", ("a", "b")),
    ],
)
def test_text_becomes_the_value_of_the_type(argument, name, value):
    assert getattr(parsed(argument), name) == value


@pytest.mark.parametrize(
    "argument, expected",
    [
        ("--filters=2.5", "a whole number"),
        ("--rate=fast", "a number"),
        ("--xla=perhaps", "true or false"),
        ("--widths=2,,3", "several, separated by commas"),
        ("--criterion=l2", "one of taylor, l1"),
        ("--filters=", "a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_what_was_expected(
    argument, expected
):
    with pytest.raises(flags.IllegalFlagValueError, match=expected) as caught:
        parsed(argument)
    assert argument in str(caught.value)


def test_nan_reaches_the_config_whose_own_errors_pass_through():
    @dataclasses.dataclass(frozen=True)
    class Strict:
        rate: float = option(0.1, "Step size.")

        def __post_init__(self):
            if not self.rate > 0:
                raise InputError(f"--rate is above 0; got {self.rate}.")

    with pytest.raises(InputError, match="got nan"):
        parsed("--rate=nan", config_class=Strict)


def test_two_configs_share_an_option_that_is_the_same():
    values = flags.FlagValues()
    for config_class in (Every, Other, Other):
        run_flags.define(config_class, flag_values=values)
    values(["command", "--filters=13"])
    assert run_flags.read(Every, flag_values=values).filters == 13
    assert run_flags.read(Other, flag_values=values).filters == 13
    assert as_flagfile([Other(), Every()]).count("--filters=7\n") == 1


@pytest.mark.parametrize(
    "annotation, default, about",
    [
        (int, 8, {"help": "Filters removed at once."}),
        (int, 7, {"help": "Other help."}),
        (float, 7.0, {"help": "Filters removed at once."}),
        (int, 7, {"help": "Filters removed at once.", "identity": False}),
    ],
)
def test_two_configs_with_different_options_of_one_name_are_refused(
    annotation, default, about
):
    values = flags.FlagValues()
    run_flags.define(Other, flag_values=values)
    field = option(default, about.pop("help"), **about)
    clash = dataclasses.make_dataclass("Clash", [("filters", annotation, field)])
    with pytest.raises(ValueError, match="--filters of Clash is already"):
        run_flags.define(clash, flag_values=values)


def test_a_flag_of_absl_cannot_be_an_option():
    field = option("x", "Where to.")
    clash = dataclasses.make_dataclass("Clash", [("log_dir", str, field)])
    with pytest.raises(ValueError, match="--log_dir of Clash is already"):
        run_flags.define(clash)


def test_configs_that_disagree_make_no_flagfile():
    with pytest.raises(ValueError, match="--filters=7 and --filters=8"):
        as_flagfile([Every(), Other(filters=8)])


@pytest.mark.parametrize(
    "annotation, default",
    [
        (dict, None),
        (bool | None, None),
        (tuple[int, int], (1, 2)),
        (int | str, 1),
        (tuple[str, ...], ("a,b",)),
        (str | None, ""),
        (str, "z"),
    ],
)
def test_options_that_no_flag_can_hold_are_refused(annotation, default):
    choices = ["a"] if default == "z" else None
    with pytest.raises(ValueError):
        parsed(config_class=one_option(annotation, default, choices=choices))


def test_a_default_is_of_its_type():
    with pytest.raises(TypeError):
        parsed(config_class=one_option(int, 1.5))


def test_a_plain_field_is_refused():
    plain = dataclasses.make_dataclass("Plain", [("x", int, 1)])
    with pytest.raises(ValueError, match="Plain.x is no option"):
        parsed(config_class=plain)


@pytest.mark.parametrize("name", ["two\nlines", "blank ", "\ud800", "back\r"])
def test_values_that_no_flagfile_can_hold_are_refused(name):
    with pytest.raises(InputError, match="--name"):
        as_flagfile([Every(name=name)])


def test_a_flagfile_is_sorted_by_class_and_comments_out_what_is_not_set():
    text = as_flagfile([Other(), Every(latency=None)])
    assert text.index("# Every") < text.index("# Other")
    assert "\n# --params=\n" in text
    assert "\n--latency=\n" in text  # Its default is a number, so this says something.
    assert text == as_flagfile([Every(latency=None), Other()])


def test_help_tells_every_flag_once_with_its_default():
    values = flags.FlagValues()
    for config_class in (Every, Other):
        run_flags.define(config_class, flag_values=values)
    text = run_flags.help_text(values)
    assert text.startswith("One option of every type:\n  --filters=INT\n")
    assert "\nOther:\n  --threads=INT\n      Threads. (default: 1)" in text
    assert "--criterion=taylor|l1\n" in text
    assert "--[no]xla\n" in text
    assert "--widths=INT,...\n      Widths. (default: 2,3)" in text
    assert text.count("Filters removed at once.") == 1
