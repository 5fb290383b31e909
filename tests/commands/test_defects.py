"""What commands do with things that are no files, and with flagfiles in a ring."""

import os
import shutil

import numpy as np
import pytest
from edits import edit_json
from verbs import PLAIN, contents, refused

from ns_tf.run.option import options


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def test_a_fifo_in_the_place_of_a_file_is_not_waited_for(command, copied, fifo):
    new = f"--run_dir={fifo.parent / 'new'}"
    refused(command("descend", new, f"--flagfile={fifo}"), "is a FIFO")
    refused(command("descend", new, f"--dataset=arrays:{fifo}"), "is a FIFO")
    refused(command("inspect", f"--model=keras:{fifo}"), str(fifo))
    (copied / "descent.json").unlink()
    os.mkfifo(copied / "descent.json")
    refused(command("plan", f"--run_dir={copied}", "--params=3000"), "is a FIFO")
    assert not (fifo.parent / "new").exists()


@pytest.mark.parametrize("place", ["/dev/full", "fifo", "folder"])
def test_only_files_are_replaced_by_reports_and_pictures(
    command, searched, tmp_path, fifo, place
):
    (tmp_path / "folder").mkdir()
    path = tmp_path / place
    before = contents(searched)
    refused(command("report", f"--run_dir={searched}", f"--out={path}"), "it is a ")
    refused(command("inspect", "--model=vgg11", f"--picture={path}"), "it is a ")
    assert path.exists() and not path.is_file()
    assert contents(searched) == before


def test_flagfiles_that_include_each_other_are_refused(command, tmp_path):
    (tmp_path / "a.flags").write_text(f"--flagfile={tmp_path}/b.flags\n")
    (tmp_path / "b.flags").write_text(f"--seed=3\n--flagfile={tmp_path}/a.flags\n")
    result = command("descend", "--run_dir=x", f"--flagfile={tmp_path}/a.flags")
    refused(result, "include each other", "b.flags -> ", "Take the line")


def test_every_whole_number_has_limits(flags_of, command, tmp_path):
    for verb in ("descend", "train", "prune", "compare", "export", "tune", "inspect"):
        with flags_of(verb) as configs:
            kinds = {f.name: k for one in configs for f, k in options(one)}
        for name in (name for name, kind in kinds.items() if kind.item is int):
            result = command(verb, f"--{name}=99999999999999")
            refused(result, f"--{name}=99999999999999", "at most")


def test_a_comparison_of_numbers_in_the_place_of_texts_is_damaged(command, tmp_path):
    told = {"version": 1, "title": 5, "recipe": 5, "date": 5, "latency": 5}
    (tmp_path / "comparison.json").write_text("{}")
    edit_json(
        tmp_path / "comparison.json",
        lambda values: values.update(**told, rows=[], differences=[], gaps=[]),
    )
    refused(command("report", f"--run_dir={tmp_path}"), "comparison.json is damaged")


@pytest.mark.parametrize("text", [None, b"\xff\x00", b"--image_size=nine\n"])
def test_a_training_without_its_flags_is_not_exported(command, tmp_path, text):
    folder = tmp_path / "train" / "mine"
    folder.mkdir(parents=True)
    told = '{"version": 1, "architecture": "vgg11"}'
    (folder / "result.json").write_text(told)
    if text is not None:
        (folder / "run.flags").write_bytes(text)
    told = "--dataset" if text is None else "run.flags"
    refused(command("export", f"--run_dir={folder}", "--format=keras"), told)


@pytest.mark.parametrize("path", ["a" * 300, "b/" * 3000, "\udcff"])
@pytest.mark.parametrize("verb", ["plan", "report", "train", "export"])
def test_names_that_no_file_has_are_refused(command, verb, path):
    result = command(verb, f"--run_dir={path}")
    refused(result)


def test_many_classes_are_refused(command, tmp_path):
    images = np.zeros((20, 8, 8, 1), np.uint8)
    labels = np.r_[np.arange(19), 899_999]
    np.savez(tmp_path / "many.npz", x_train=images, y_train=labels)
    asked = (f"--run_dir={tmp_path}/run", f"--dataset=arrays:{tmp_path}/many.npz")
    refused(command("descend", *asked), "900000 classes, more than 100000")


def test_images_that_fill_the_memory_are_refused(command, tmp_path, monkeypatch):
    monkeypatch.setattr("ns_tf.run.memory.available", lambda: 2**27)
    asked = (*PLAIN, f"--run_dir={tmp_path}/run", "--image_size=8192")
    refused(command("train", *asked, "--widths=2,2,2,2,2,2,2,2"), "GB of memory")
    assert not list(tmp_path.iterdir())


def test_flags_of_a_run_that_were_flipped_are_refused_as_a_flagfile(
    command, searched, tmp_path
):
    shutil.copy(searched / "run.flags", tmp_path / "x.flags")
    data = (tmp_path / "x.flags").read_bytes()
    (tmp_path / "x.flags").write_bytes(data.replace(b"--seed=0", b"--seed=1"))
    asked = (f"--run_dir={tmp_path}/a", f"--flagfile={tmp_path}/x.flags")
    told = ("x.flags is damaged", "takes the line with sha256 out")
    refused(command("descend", *asked), *told)


def test_a_training_whose_result_lacks_its_network_is_not_exported(command, tmp_path):
    (tmp_path / "result.json").write_text('{"version": 1}')
    refused(command("export", f"--run_dir={tmp_path}"), "result.json is damaged")
