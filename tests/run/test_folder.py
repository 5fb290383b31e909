"""Run folders: of one run, for one process, refused untouched where they are not."""

import dataclasses
import os
import re
import subprocess
import sys

import pytest
from edits import text_of
from places import ROOT

from ns_tf.base import InputError
from ns_tf.run import files, folder
from ns_tf.run.folder import InUse, is_new, open_run
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class Config:
    """What to do."""

    a: int = option(1, "First.")
    b: int = option(1, "Second.")
    c: int = option(1, "Third.")
    d: int = option(1, "Fourth.")
    threads: int = option(1, "Threads.", identity=False)


@dataclasses.dataclass(frozen=True)
class Data:
    """On what."""

    images: int = option(5, "Images.")


CONFIGS = (Config(), Data())
TEXT = "# Config\n--a=1\n--b=1\n--c=1\n--d=1\n--threads=1\n# Data\n--images=5\n"
# Opens the folder as a user's program does, and waits to be killed.
HOLDER = """
import sys, time
from ns_tf.run.folder import open_run
open_run(sys.argv[1], [], "search")
print("open", flush=True)
time.sleep(60)
"""


def tree(path):
    """Every file of the folder with its bytes and time."""
    return {
        path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [path, *path.rglob("*")]
    }


def test_a_run_folder_is_made_once_and_continued_by_the_same_flags(tmp_path):
    path = tmp_path / "runs" / "vgg11"
    assert is_new(path, CONFIGS, "search")
    assert not path.exists()
    with open_run(path, CONFIGS, "search") as run:
        assert run.new
        assert run.path == path
        files.write_text(run / "descent.json", "{}")
    assert text_of(path / "run.flags") == TEXT
    assert not is_new(path, CONFIGS, "search")
    more = (Config(threads=2), Data())
    assert not is_new(path, more, "search")
    with open_run(str(path), more, "search") as run:
        assert not run.new
    assert text_of(path / "run.flags") == TEXT
    assert (path / "descent.json").read_text() == "{}"


def test_the_flags_of_a_continued_run_are_kept_where_the_caller_says_so(tmp_path):
    open_run(tmp_path, CONFIGS, "search").close()
    written = (tmp_path / "run.flags").stat().st_mtime_ns
    with open_run(tmp_path, (Config(threads=7), Data()), "search") as run:
        assert (tmp_path / "run.flags").stat().st_mtime_ns == written
        run.keep_flags()
    expected = TEXT.replace("--threads=1", "--threads=7")
    assert text_of(tmp_path / "run.flags") == expected


def test_the_flags_of_a_new_run_are_written_once(tmp_path):
    with open_run(tmp_path, CONFIGS, "search") as run:
        before = tree(tmp_path)
        run.keep_flags()
        assert tree(tmp_path) == before


def test_flags_that_are_younger_than_the_run_had_their_defaults(tmp_path):
    older = TEXT.replace("--b=1\n", "").replace("--c=1\n", "--retired=3\n")
    (tmp_path / "run.flags").write_text(older)
    assert not is_new(tmp_path, CONFIGS, "search")
    with pytest.raises(InputError, match=r"\(--b: 1 -> 2\)"):
        is_new(tmp_path, (Config(b=2), Data()), "search")


@pytest.mark.parametrize("look", [is_new, open_run])
def test_a_run_folder_of_other_flags_is_refused_and_untouched(look, tmp_path):
    open_run(tmp_path / "run", CONFIGS, "search").close()
    before = tree(tmp_path)
    changed = (Config(a=2, b=2, c=2, d=2, threads=2), Data(images=7))
    with pytest.raises(InputError) as caught:
        look(tmp_path / "run", changed, "search")
    assert str(caught.value) == (
        f"{tmp_path}/run holds a search of other flags (--a: 1 -> 2; --b: 1 -> 2; "
        "--c: 1 -> 2 and 2 more): give another --run_dir, or the flags of "
        f"{tmp_path}/run/run.flags."
    )
    assert tree(tmp_path) == before


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    before = tree(tmp_path)
    with pytest.raises(InputError, match="holds 'thesis.tex' but no run.flags"):
        open_run(tmp_path, CONFIGS, "search")
    assert tree(tmp_path) == before


def test_flags_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "run.flags").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"run\.flags is damaged .* another --run_dir"):
        open_run(tmp_path, CONFIGS, "search")


def test_a_run_killed_before_its_first_file_can_be_started_again(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".run.flags.17.writing").write_text("--se")
    with open_run(tmp_path, CONFIGS, "search") as run:
        assert run.new
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "run.flags"]


def test_half_written_files_go_but_those_of_trainings_below_stay(tmp_path):
    open_run(tmp_path, CONFIGS, "search").close()
    gone = [tmp_path / name for name in ("", folder.CHECKPOINTS, folder.PLOTS)]
    for place in [*gone, tmp_path / folder.TRAIN]:
        place.mkdir(exist_ok=True)
        (place / ".a.17.writing").touch()
    open_run(tmp_path, CONFIGS, "search").close()
    assert [path.parent for path in tmp_path.rglob("*.writing")] == [
        tmp_path / folder.TRAIN
    ]


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/run"])
def test_a_place_that_cannot_be_a_folder_is_refused(place, tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match="cannot be a run folder: .*--run_dir"):
        open_run(tmp_path / place, CONFIGS, "search")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_run_folder_is_for_one_process_and_free_after_its_death(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "open\n"
        message = re.escape(f"{tmp_path / 'run'} is in use by another process")
        with pytest.raises(InUse, match=message):
            open_run(tmp_path / "run", [], "search")
    finally:
        process.kill()
        process.communicate()
    open_run(tmp_path / "run", [], "search").close()


def test_a_closed_run_folder_is_free(tmp_path):
    with open_run(tmp_path / "run", CONFIGS, "search") as run:
        with pytest.raises(InUse, match="in use"):
            open_run(tmp_path / "run", CONFIGS, "search")
    run.close()  # Closing twice does no harm.
    assert not open_run(tmp_path / "run", CONFIGS, "search").new


def test_no_two_names_of_one_run_folder_are_equal():
    """But `model.keras`, which a search and a training both have, is one name."""
    names = [
        value
        for name, value in vars(folder).items()
        if name.isupper() and name not in ("TEMPORARY", "PREFIX")
    ]
    assert len(names) == len(set(names)) > 20
