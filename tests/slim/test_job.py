"""A supernet of a folder of its own, and members that come of it later."""

import dataclasses
import math

import keras
import numpy as np
import pytest
from edits import values_of
from supernets import ANY, RECIPE, work

from ns_tf.base import InputError, RunError
from ns_tf.engine.evaluate import evaluator
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.config import NetworkConfig
from ns_tf.prune.scoring import Proxy
from ns_tf.run import files
from ns_tf.run.folder import CHECKPOINT, SUPERNET
from ns_tf.slim.job import MemberJob, SupernetJob

FLAGS = (NetworkConfig(architecture="residual", dataset="coloured"), ANY, RECIPE)


def made(folder):
    return SupernetJob(work(), ANY, RECIPE, Runtime(seed=3), folder, FLAGS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A supernet that is trained; to be read only."""
    job = made(tmp_path_factory.mktemp("job") / "net")
    job.check()
    job.run()
    return job


def test_the_folder_is_a_training_of_the_whole_network(finished):
    result = values_of(finished.folder / "result.json")
    assert result["widths"] == [8, 7] and result["epochs"] == RECIPE.epochs
    assert (finished.folder / SUPERNET).exists()
    assert not (finished.folder / CHECKPOINT).exists()
    before = (finished.folder / SUPERNET).stat().st_mtime_ns
    (finished.folder / CHECKPOINT).touch()  # As a kill behind the result leaves it.
    assert made(finished.folder).run() == result
    assert not (finished.folder / CHECKPOINT).exists()
    assert (finished.folder / SUPERNET).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "widths", [(3, 5), pytest.param((8, 7), marks=pytest.mark.slow)]
)
def test_a_member_of_any_widths_is_judged_by_itself(finished, tmp_path, widths):
    job = MemberJob(finished, tmp_path / "member", widths, FLAGS)
    result = job.run()
    assert job.run() == result
    model = keras.saving.load_model(tmp_path / "member" / "model.keras", compile=False)
    assert model.get_layer("conv1").filters == widths[1]
    problem = finished.problem
    evaluate = evaluator(model, problem.task.loss(model), problem.task.counter(model))
    for split in ("validation", "test"):
        _, counts = evaluate(problem.dataset, split, 16)
        assert result[f"{split}_accuracy"] == problem.task.score_of(counts)
    assert result["seconds"] == values_of(finished.folder / "result.json")["seconds"]


def test_statistics_are_those_of_the_member(finished):
    """Means over batches of images, of what its own layers put out."""
    small = finished.member((3, 5)).model
    norm = small.get_layer("bn3")
    kept = np.array(norm.moving_mean), np.array(norm.moving_variance)
    before = keras.Model(small.input, norm.input)
    images = Proxy.of(finished.problem.dataset, images=32, batch=16, seed=0)
    puts = [np.array(before(x, training=True)) for x, _ in images.batches()]
    assert len(puts) == 2
    by_hand = [np.mean([f(y, (0, 1, 2)) for y in puts], 0) for f in (np.mean, np.var)]
    np.testing.assert_allclose(kept, by_hand, rtol=1e-4, atol=1e-6)


def test_a_supernet_whose_test_fails_leaves_no_weights(tmp_path, monkeypatch):
    """Members would take them for those of a supernet that is trained."""

    class Failed:
        def result(self):
            raise RunError("The test loss is nan.")

    monkeypatch.setattr(SupernetJob, "trained", lambda job, watch: Failed())
    with pytest.raises(RunError, match="test loss"):
        made(tmp_path).run()
    assert not (tmp_path / SUPERNET).exists()


@pytest.mark.slow
def test_members_of_a_supernet_without_a_finite_score_are_judged_all_the_same(
    finished, tmp_path, monkeypatch
):
    """One share of an infinite score makes the mean infinite."""
    work = finished._work(finished.runtime)
    work.restore(*files.read_arrays(finished.folder / SUPERNET))
    odd = dataclasses.replace(work.judged((8, 7)), test_score=-math.inf)
    monkeypatch.setattr(work, "result", lambda: odd)
    monkeypatch.setattr(SupernetJob, "trained", lambda job, watch: work)
    job = made(tmp_path / "net")
    with pytest.raises(RunError, match="test_accuracy is -inf"):
        job.run()
    member = MemberJob(job, tmp_path / "member", (3, 5), FLAGS)
    assert 0 <= member.run()["test_accuracy"] <= 1


def test_a_supernet_that_is_not_there_has_no_members(tmp_path):
    with pytest.raises(InputError, match="supernet"):
        made(tmp_path).member((3, 5))
    with pytest.raises(InputError, match="too large"):
        recipe = dataclasses.replace(RECIPE, batch=1000)
        dataclasses.replace(made(tmp_path), recipe=recipe).check()
