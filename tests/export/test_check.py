"""Files are run again, and what is said of them is what they answered."""

import subprocess
import types

import exports
import numpy as np
import pytest

from ns_tf.base import RunError
from ns_tf.export import check, formats
from ns_tf.export.check import Expected
from ns_tf.parts import Parts
from ns_tf.problem import tasks

EXPECTED = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])
LABELS = np.array([0, 2, 0])
TASK = tasks.get("classification")


def right(folder):
    """What the Keras model answers, by hand."""
    return Expected(folder / "inputs.npy", LABELS, EXPECTED)


@pytest.fixture
def compare(monkeypatch, tmp_path):
    """Compares made-up answers of a file with `EXPECTED`."""
    path = tmp_path / "net.bin"
    path.write_bytes(bytes(101))

    def compare(answers, exact=True, ms=(3.0, 1.0, 2.0)):
        def run(command, **options):
            np.savez(command[-1], answers=np.array(answers), ms=np.array(ms))
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(check.subprocess, "run", run)
        form = types.SimpleNamespace(name="made_up", runtime="none", exact=exact)
        return check.compare(form, path, tmp_path, right(tmp_path), TASK)

    return compare


def test_the_same_answers_agree_wholly(compare):
    outcome = compare(EXPECTED)
    assert outcome.largest_difference == 0 and outcome.agreement == 1
    assert outcome.score == outcome.keras_score == 2 / 3
    assert (outcome.bytes, outcome.p50_ms) == (101, 2.0)
    assert 2.0 < outcome.p95_ms <= 3.0


def test_another_class_is_counted(compare):
    answers = EXPECTED.copy()
    answers[1] = [0.5, 0.3, 0.2]
    outcome = compare(answers)
    assert outcome.agreement == 2 / 3
    assert outcome.largest_difference == pytest.approx(0.4)
    assert (outcome.score, outcome.keras_score) == (1 / 3, 2 / 3)


@pytest.mark.parametrize("exact, agreement", [(True, 1.0), (False, 2 / 3)])
def test_classes_that_are_as_likely_to_rounding_agree_in_an_exact_format(
    compare, monkeypatch, exact, agreement
):
    expected = EXPECTED.copy()
    expected[0] = [0.45, 0.45 - 2e-5, 0.1 + 2e-5]
    monkeypatch.setitem(globals(), "EXPECTED", expected)
    answers = expected.copy()
    answers[0] = [0.45 - 2e-5, 0.45, 0.1 + 2e-5]
    assert compare(answers, exact).agreement == pytest.approx(agreement)


def test_a_file_that_does_not_run_says_why_in_one_line(monkeypatch, tmp_path):
    def run(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nBad magic\n")

    monkeypatch.setattr(check.subprocess, "run", run)
    form = formats.get("keras")
    with pytest.raises(RunError, match="^keras does not run: Bad magic$"):
        check.compare(form, tmp_path / "net.keras", tmp_path, right(tmp_path), TASK)


@pytest.mark.slow
def test_a_process_of_its_own_runs_the_file(tmp_path):
    """As all exports do, quick ones too; the runner imports nothing of ns_tf."""
    source = exports.source()
    path = tmp_path / "net.tflite"
    form = formats.get("litert")
    form.write(source, path)
    images = exports.pixels(source, 13)
    np.save(tmp_path / "inputs.npy", images)
    expected = exports.answers(source, images)
    right = Expected(tmp_path / "inputs.npy", expected.argmax(-1), expected)
    outcome = check.compare(form, path, tmp_path, right, TASK)
    assert outcome.agreement == outcome.score == 1
    assert 0 < outcome.p50_ms <= outcome.p95_ms
    assert outcome.bytes == path.stat().st_size


def test_answers_of_several_outputs_are_found_by_name_or_by_place():
    one, other = np.zeros((2, 3)), np.ones((2, 5))
    expected = Expected("", Parts(), Parts((one, other)), ("b", "a"))
    for written in (
        {"answers_b": one, "answers_a": other},
        {"answers_0": one, "answers_1": other},
    ):
        found = expected.in_order(written)
        assert found[0] is one and found[1] is other


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "one").write_bytes(bytes(17))
    (tmp_path / "deep" / "other").write_bytes(bytes(101))
    assert check._size(tmp_path) == 118
    assert check._size(tmp_path / "one") == 17


def test_the_table_has_a_line_for_every_file(compare):
    lines = check.table(
        [compare(EXPECTED), compare(EXPECTED[::-1])], TASK.score
    ).splitlines()
    assert len(lines) == 3
    header, *rows = lines
    assert "largest diff." in header and len({len(line) for line in lines}) == 1
    assert "100.0 %" in rows[0] and "66.67 %" in rows[0]
