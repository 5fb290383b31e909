"""Flags: made of config dataclasses, read into them, told as help."""

import dataclasses
import math

import pytest
from absl import flags
from options import Every, Other, one_option, parsed

from ns_tf.base import InputError
from ns_tf.run import flags as run_flags
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.option import option


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


def test_without_docstring_the_help_has_the_name_of_the_class():
    bare = dataclasses.make_dataclass("Bare", [("x", int, option(2, "A number."))])
    values = flags.FlagValues()
    run_flags.define(bare, flag_values=values)
    assert run_flags.help_text(values).startswith("Bare:\n  --x=INT\n")


def test_a_flagfile_of_a_user_is_read_by_class(tmp_path):
    (tmp_path / "more.flags").write_text("--threads=5\n")
    (tmp_path / "my.flags").write_text(
        f"# Mine.\n--filters=13\n--flagfile={tmp_path}/more.flags\n--noxla\n"
    )
    configs = run_flags.read_file(str(tmp_path / "my.flags"), Every, Other)
    assert configs == {
        Every: Every(filters=13, xla=False),
        Other: Other(filters=13, threads=5),
    }


@pytest.mark.parametrize(
    "text, told",
    [
        ("--sede=3", "Unknown command line flag 'sede'"),
        ("--filters=x", "expected a whole number. See --help."),
        ("filters=3", "Expected only flags, as --name=value; got 'filters=3'."),
        ("--flagfile=no/such", "--flagfile=no/such cannot be read: No such file"),
    ],
)
def test_a_flagfile_of_a_user_is_refused_with_its_path(text, told, tmp_path):
    path = tmp_path / "my.flags"
    path.write_text(f"{text}\n")
    with pytest.raises(InputError) as caught:
        run_flags.read_file(str(path), Every, Other)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_a_command_line_takes_flags_only():
    values = flags.FlagValues()
    run_flags.define(Other, flag_values=values)
    with pytest.raises(InputError, match="Expected only flags.* got 'filters'"):
        run_flags.parse(["command", "--threads=3", "filters"], values)
