"""Flagfiles: read back bit by bit, and compared by what changes results."""

import dataclasses
import os

import pytest
from hypothesis import given, settings
from options import Every, Other, configs, one_option, parsed

from ns_tf.base import InputError
from ns_tf.data.config import DataConfig
from ns_tf.engine.config import RuntimeConfig
from ns_tf.run import flagfile
from ns_tf.run.flagfile import as_flagfile, from_flagfile


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("flags") / "run.flags"


@settings(max_examples=40)
@given(config=configs)
def test_a_flagfile_parses_back_to_the_same_config(config, path):
    path.write_text(as_flagfile([config]), encoding="utf-8")
    # repr: nan is not nan, and -0.0 is 0.0.
    assert repr(parsed(f"--flagfile={path}")) == repr(config)


@settings(max_examples=40)
@given(config=configs)
def test_a_flagfile_is_read_back_without_absl_too(config):
    text = as_flagfile([Other(filters=config.filters), config])
    assert repr(from_flagfile(Every, text)) == repr(config)
    assert from_flagfile(Other, text) == Other(filters=config.filters)


def test_what_a_flagfile_says_nothing_of_is_the_default():
    assert from_flagfile(Every, "") == Every()
    assert from_flagfile(Every, "--retired=3\n# --filters=11\n") == Every()


@pytest.mark.parametrize("text", ["--filters=2.5", "--criterion=l2", "--xla=perhaps"])
def test_a_damaged_flagfile_is_refused_in_one_line(text):
    with pytest.raises(InputError, match="The run folder's flags are damaged: ") as e:
        from_flagfile(Every, text)
    assert "\n" not in str(e.value)


def test_errors_of_a_config_itself_pass_through_unchanged():
    @dataclasses.dataclass(frozen=True)
    class Strict(Other):
        def __post_init__(self):
            if self.filters > 7:
                raise InputError("--filters is at most 7.")

    with pytest.raises(InputError, match="^--filters is at most 7.$"):
        from_flagfile(Strict, "--filters=8")


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


def test_the_comparison_of_config_classes_is_of_what_changes_results():
    compare = flagfile.comparison(Every, Other)
    old = as_flagfile([Every(run_dir="a"), Other()])
    new = as_flagfile([Every(run_dir="b"), Other(threads=3)])
    assert compare(old, new) == []
    new = as_flagfile([Every(rate=0.5), Other(threads=3)])
    assert compare(old, new) == ["--rate: 0.1 -> 0.5"]
    younger = old.replace("--xla=false\n", "")
    assert younger != old
    assert compare(younger, old) == []


def test_older_runs_may_leave_unset_what_their_search_said():
    config_class = one_option(str | None, None, inherited=True)
    compare = flagfile.comparison(config_class)
    assert flagfile.inherited(config_class, Other) == {"x"}
    assert flagfile.own(one_option(int, 1, own=True), Other) == {"x"}
    unset, one, other = (as_flagfile([config_class(x)]) for x in (None, "a", "b"))
    assert compare(unset, one) == compare("", one) == []
    assert compare(one, other) == ["--x: a -> b"]
    assert compare(one, unset) == ["--x: a -> not set"]


def test_defaults_are_text_and_empty_where_nothing_is_set():
    assert flagfile.defaults(Other) == {"filters": "7", "threads": "1"}
    known = flagfile.defaults(Every)
    assert (known["params"], known["widths"], known["xla"]) == ("", "2,3", "false")


def test_configs_that_disagree_make_no_flagfile():
    with pytest.raises(ValueError, match="--filters=7 and --filters=8"):
        as_flagfile([Every(), Other(filters=8)])


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


def test_flags_come_through_a_pipe_of_the_shell():
    config = Every()
    read, write = os.pipe()
    with open(write, "w", encoding="utf-8") as file:
        file.write(as_flagfile([config]))
    assert repr(parsed(f"--flagfile=/dev/fd/{read}")) == repr(config)
    os.close(read)
