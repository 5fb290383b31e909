"""Copies of what a run folder says."""

import json

import pytest
import toolbox
import tunings
from edits import edit
from verbs import SHORT, contents, refused

from ns_tf import load


@pytest.fixture
def keep(capfd):
    """Runs the script: exit code, standard output, standard error."""

    def keep(*arguments):
        capfd.readouterr()
        with toolbox.scripts() as script:
            return toolbox.status(script("keep_records"), *arguments), *(
                capfd.readouterr()
            )

    return keep


def test_the_copy_of_a_search_plans_as_the_search_does(keep, searched, tmp_path):
    code, out, err = keep(f"--run_dir={searched}", f"--out_dir={tmp_path}")
    assert code == 0, err
    copy = tmp_path / searched.name
    files = {p.relative_to(copy) for p in copy.rglob("*") if p.is_file()}
    assert f"{len(files)} files" in out
    assert {p.suffix for p in files} <= {".json", ".csv", ".md", ".flags"}
    for path in files:
        if path.suffix != ".flags":
            assert (copy / path).read_bytes() == (searched / path).read_bytes()
    ratio = {"ratio": 0.05}
    assert load(copy).plan(**ratio).widths == load(searched).plan(**ratio).widths


def test_only_finished_trainings_are_copied_and_no_place_of_data(
    keep, command, network, tmp_path
):
    copied = tmp_path / "run"
    tunings.law(copied, network)
    asked = (f"--run_dir={copied}", "--params=3000", "--name=done", *SHORT)
    code, _, err = command("train", *asked)
    assert code == 0, err
    (copied / "train" / "open").mkdir()
    (copied / "train" / "open" / "widths.json").write_text("{}")
    more = "\n--data_dir=somebody/elsewhere\n"
    edit(copied / "run.flags", lambda text: text + more)
    assert keep(f"--run_dir={copied}", f"--out_dir={tmp_path / 'kept'}")[0] == 0
    copy = tmp_path / "kept" / copied.name
    result = json.loads((copy / "train" / "done" / "result.json").read_text())
    assert result["params"] <= 3000
    assert not (copy / "train" / "open").exists()
    assert not list(copy.rglob("*.keras"))
    assert "somebody" not in (copy / "run.flags").read_text()


def test_nothing_of_a_run_folder_is_replaced(keep, searched, copied, tmp_path):
    refused(keep(f"--run_dir={tmp_path}"), "is no run folder")
    before = contents(copied)
    (copied / ".lock").touch()
    refused(keep(f"--run_dir={copied}", f"--out_dir={copied.parent}"), "run folder")
    assert contents(copied) == before
