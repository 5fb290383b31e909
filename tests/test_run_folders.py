import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ns_tf.base import InputError
from ns_tf.run import files, flagfile
from ns_tf.run.folder import open_run

ROOT = Path(__file__).parents[1]


def tree(folder):
    """Every file of the folder with its bytes and time."""
    return {
        path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


def sparing(name):
    """The comparison of flags that lets this one differ."""
    return functools.partial(flagfile.differences, ignore={name})


def test_a_run_folder_is_made_once_and_continued_by_the_same_flags(tmp_path):
    folder = tmp_path / "runs" / "vgg11"
    with open_run(folder, "--seed=1\n") as run:
        assert run.new
        assert run.path == folder
        files.write_text(run / "descent.json", "{}")
    assert (folder / "run.flags").read_text() == "--seed=1\n"
    more = "--seed=1\n--threads=2\n"
    with open_run(folder, more, compare=sparing("threads")) as run:
        assert not run.new
    assert (folder / "run.flags").read_text() == "--seed=1\n"
    assert (folder / "descent.json").read_text() == "{}"


def test_a_run_folder_of_other_flags_is_refused_and_untouched(tmp_path):
    text = "".join(f"--{name}=1\n" for name in "abcdef")
    open_run(tmp_path / "run", text).close()
    before = tree(tmp_path)
    changed = text.replace("=1", "=2")
    with pytest.raises(InputError) as caught:
        open_run(tmp_path / "run", changed, compare=sparing("f"))
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
        open_run(tmp_path, "--seed=1\n")
    assert tree(tmp_path) == before


def test_a_run_killed_before_its_first_file_can_be_started_again(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".run.flags.17.writing").write_text("--se")
    with open_run(tmp_path, "--seed=1\n") as run:
        assert run.new
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "run.flags"]


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/run"])
def test_a_place_that_cannot_be_a_folder_is_refused(place, tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(InputError, match="cannot be a run folder: .*--run_dir"):
        open_run(tmp_path / place, "--seed=1\n")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_run_folder_is_for_one_process_and_free_after_its_death(tmp_path):
    script = (
        "from ns_tf import run_folders; import sys, time\n"
        "run = run_folders.open_run(sys.argv[1], '--seed=1\\n')\n"
        "print('open', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "open\n"
        message = re.escape(f"{tmp_path / 'run'} is in use by another process")
        with pytest.raises(InputError, match=message):
            open_run(tmp_path / "run", "--seed=1\n")
    finally:
        process.kill()
        process.communicate()
    open_run(tmp_path / "run", "--seed=1\n").close()


def test_a_closed_run_folder_is_free(tmp_path):
    with open_run(tmp_path / "run", "--seed=1\n") as run:
        with pytest.raises(InputError, match="in use"):
            open_run(tmp_path / "run", "--seed=1\n")
    run.close()  # Closing twice does no harm.
    assert not open_run(tmp_path / "run", "--seed=1\n").new
