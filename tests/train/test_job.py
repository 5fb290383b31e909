"""A training in a folder of its own."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from crowd import in_threads
from small import Ended, KilledAt, Recorder, chain, problem, replaced

from ns_tf.base import InputError, RunError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.workers import WorkerError
from ns_tf.networks.structure import count_params
from ns_tf.problem.config import NetworkConfig, ProblemConfig
from ns_tf.run import files
from ns_tf.run.folder import (
    CHECKPOINT,
    EPOCHS,
    FLAGS,
    LOCK,
    LOGS,
    MODEL,
    RESULT,
    WIDTHS,
)
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import (
    ELSEWHERE,
    Job,
    failure_kept,
    network_config,
    network_costs,
    read_history,
    write_history,
)
from ns_tf.train.results import has_ended, read_failure, read_result
from ns_tf.train.training import Epoch

RECIPE = TrainConfig(epochs=2, batch=16, rate=0.05)
WIDTHS_OF_IT = (7, 5)
HISTORY_OF_IT = (
    Epoch(1, 0.1, 1.5, 1.25, 0.25, 0.75),
    Epoch(2, 0.1, 1.0, 1 / 3, 0.5, 0.5),
)


def job(folder, widths=WIDTHS_OF_IT, recipe=RECIPE, **options):
    network = NetworkConfig("chain", "arrays", widths=widths)
    return Job(
        folder,
        problem(chain, WIDTHS_OF_IT),
        widths,
        recipe,
        Runtime.of(RuntimeConfig(seed=3)),
        flags=(network, recipe, RuntimeConfig(seed=3)),
        **options,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(job that has run, its result, the meter that showed it)."""
    work, meter = job(tmp_path_factory.mktemp("job") / "it"), Recorder()
    return work, work.run(Watch(meter)), meter


def test_the_folder_holds_flags_widths_history_model_and_result(done):
    work, result, meter = done
    names = {path.name for path in work.folder.iterdir()} - {LOCK, LOGS}
    assert names == {FLAGS, WIDTHS, EPOCHS, MODEL, RESULT}
    assert json.loads((work.folder / WIDTHS).read_text())["widths"] == [7, 5]
    assert read_result(work.folder) == result
    assert meter.bars[0]["label"] == "it"


def test_the_result_says_what_was_trained_and_how_good_it_is(done):
    work, result, _ = done
    history = read_history(work.folder)
    best = history[result["best_epoch"] - 1]
    assert result["validation_accuracy"] == best.validation_score
    assert (result["score"], result["widths"]) == ("accuracy", [7, 5])
    assert (result["seed"], result["epochs"]) == (3, 2)
    assert result["best_test_accuracy"] is None  # Not every epoch was tested.
    assert 0 <= result["test_accuracy"] <= 1 and result["test_loss"] > 0
    assert result["params"] == count_params(work.problem.build())
    assert result["params"] == work.costs["params"]


def test_the_model_that_is_kept_is_the_one_that_was_tested(done):
    work, result, _ = done
    model = keras.saving.load_model(work.folder / MODEL, compile=False)
    data = work.problem.dataset
    images = (data.test.images - data.mean) / data.std
    answers = model.predict(images, verbose=0).argmax(axis=1)
    assert (answers == data.test.labels).mean() == result["test_accuracy"]


def test_a_training_that_is_done_is_not_done_again(done):
    work, result, _ = done
    before = (work.folder / MODEL).stat().st_mtime_ns
    meter = Recorder()
    assert work.run(Watch(meter)) == result
    assert meter.bars == [] and (work.folder / MODEL).stat().st_mtime_ns == before


def test_the_history_comes_back_exactly(done):
    work, _, _ = done
    write_history(work.folder, HISTORY_OF_IT, "accuracy")
    assert read_history(work.folder) == HISTORY_OF_IT
    header, _ = files.read_csv(work.folder / EPOCHS)
    assert header[-2:] == ["validation_accuracy", "test_accuracy"]


def test_a_folder_of_other_flags_or_widths_is_refused_before_anything_is_written(
    done, tmp_path
):
    work, _, _ = done
    before = (work.folder / FLAGS).read_bytes()
    other = job(work.folder, recipe=replaced(RECIPE, epochs=3))
    for refuse in (other.check_folder, other.run):
        with pytest.raises(InputError, match="training of other flags .*epochs"):
            refuse()
    assert (work.folder / FLAGS).read_bytes() == before
    # Of equal flags, where widths follow from a search that went on.
    moved = dataclasses.replace(work, widths=(3, 5))
    for refuse in (moved.check_folder, moved.run):
        with pytest.raises(
            InputError, match="trains the widths 7,5, and by the search"
        ):
            refuse()
    part = dataclasses.replace(work, part=lambda: "of it")
    for refuse in (part.check_folder, part.run):
        with pytest.raises(InputError, match="another part of the network"):
            refuse()
    job(tmp_path / "new").check_folder()
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_trained_is_refused_by_a_check(tmp_path):
    job(tmp_path).check()
    with pytest.raises(InputError, match="batch of 1009 is too large"):
        job(tmp_path, recipe=replaced(RECIPE, batch=1009)).check()
    with pytest.raises(ValueError):
        job(tmp_path, widths=(7,)).check()


def test_a_variation_of_what_is_no_image_is_refused_by_a_check(tmp_path):
    work = job(
        tmp_path / "run", recipe=dataclasses.replace(RECIPE, augmentation="flip")
    )
    table = dataclasses.replace(work.problem.dataset, image_shape=(5,))
    own = dataclasses.replace(work.problem, dataset=table)
    with pytest.raises(InputError, match="augmentation=flip is of images"):
        dataclasses.replace(work, problem=own).check()
    assert not list(tmp_path.iterdir())


def test_a_killed_training_keeps_its_checkpoint_until_the_result_is_written(tmp_path):
    work = job(tmp_path / "it")
    work = dataclasses.replace(work, runtime=Runtime(watch=Watch(seconds=0.0), seed=3))
    with pytest.raises(Ended):
        work.run(Watch(KilledAt(3)))
    assert [path.name for path in work.folder.glob("*.npz")] == [CHECKPOINT]
    assert not has_ended(work.folder)
    meter = Recorder()
    work.run(Watch(meter))
    assert meter.bars[0]["initial"] == 2
    assert list(work.folder.glob("*.npz")) == []


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ((-np.inf, 0.5), "its validation_accuracy is -inf"),
        pytest.param(
            *((0.5, np.nan), "its test_accuracy is nan"), marks=pytest.mark.slow
        ),
    ],
)
def test_a_training_without_a_score_ends_in_one_line_and_keeps_its_network(
    tmp_path, monkeypatch, scores, told
):
    work, found = job(tmp_path / "it", recipe=replaced(RECIPE, epochs=1)), iter(scores)
    monkeypatch.setattr(type(work.problem.task), "score_of", lambda *_: next(found))
    with pytest.raises(RunError, match=f"{told}.*{work.folder / MODEL}") as error:
        work.run()
    assert "\n" not in str(error.value)
    assert keras.saving.load_model(work.folder / MODEL).weights
    assert read_history(work.folder)[0].validation_score == scores[0]
    assert not (work.folder / RESULT).exists()


def test_training_may_start_from_a_network_that_is_given(tmp_path):
    """As a pruned one does: at a rate of nothing it stays what it was."""
    given = problem(chain, WIDTHS_OF_IT).build()
    recipe = TrainConfig(epochs=1, batch=16, rate=1e-30, weight_decay=0.0)
    work = job(tmp_path / "it", recipe=recipe, start=lambda: given)
    expected = [np.array(v) for v in given.trainable_variables]
    work.run()
    model = keras.saving.load_model(work.folder / MODEL, compile=False)
    for one, other in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(np.array(one), other, atol=1e-30)


# Trainings that something else did.


def test_a_training_done_elsewhere_is_kept_as_one_done_here(tmp_path):
    work = job(tmp_path / "it")
    work.adopt(HISTORY_OF_IT, test_losses=[3.0, 5.0], seconds=7.0, elsewhere="jax")
    result = read_result(work.folder)
    assert result[ELSEWHERE] == "jax"
    assert (result["best_epoch"], result["test_accuracy"]) == (2, 0.5)
    assert (result["test_loss"], result["seconds"]) == (5.0, 7.0)
    assert result["best_test_accuracy"] == 0.75
    assert read_history(work.folder) == HISTORY_OF_IT
    assert not (work.folder / MODEL).exists()
    assert work.run() == result  # It needs no more work.


def test_a_history_of_another_length_is_refused(tmp_path):
    with pytest.raises(InputError, match="it has 1 epochs, the recipe 2"):
        job(tmp_path / "it").adopt(
            HISTORY_OF_IT[:1], test_losses=[3.0], seconds=7.0, elsewhere="jax"
        )
    assert not (tmp_path / "it").exists()


def test_a_training_that_diverged_elsewhere_has_failed(tmp_path):
    bad = (HISTORY_OF_IT[0], replaced(HISTORY_OF_IT[1], validation_loss=np.nan))
    work = job(tmp_path / "it")
    work.adopt(bad, test_losses=[3.0, 5.0], seconds=7.0, elsewhere="jax")
    assert read_failure(work.folder) == "The loss is not finite (jax)."
    assert not (work.folder / RESULT).exists()


# What a network is called and what it costs.


def test_costs_are_those_of_the_network_as_it_is_built():
    work = problem(chain, WIDTHS_OF_IT)
    costs = network_costs(work.structure, (11, 3))
    assert costs["params"] == count_params(work.build((11, 3)))
    assert all(type(cost) is int for cost in costs.values())


def test_flags_name_the_problems_own_architecture():
    settings = ProblemConfig("other", "digits", image_size=8)
    config = network_config(settings, problem(chain, WIDTHS_OF_IT), [3, 5])
    assert config == NetworkConfig("chain", "digits", image_size=8, widths=(3, 5))


def test_a_failure_in_a_block_is_kept_by_the_chief_and_a_lost_worker_is_none(tmp_path):
    def act(workers):
        with failure_kept(tmp_path / "nan", workers):
            raise RunError(f"the loss is nan in {workers.index}")
        with failure_kept(tmp_path / "lost", workers):
            raise WorkerError("Worker 1 ended")

    assert all(isinstance(error, WorkerError) for error in in_threads(2, act))
    assert read_failure(tmp_path / "nan") == "the loss is nan in 0"
    assert not (tmp_path / "lost").exists()
    with failure_kept(tmp_path / "alone"):
        raise RunError("alone")
    assert read_failure(tmp_path / "alone") == "alone"
