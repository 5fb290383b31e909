"""A training by a table of labels: its images, its state."""

import numpy as np
import pytest
from small import Ended, KilledAt, chain, problem

from ns_tf.data.variants import TIMES
from ns_tf.engine.runtime import Runtime
from ns_tf.run.watch import Watch
from ns_tf.train import recipes
from ns_tf.train.config import TrainConfig
from ns_tf.train.lesson import Lesson
from ns_tf.train.recipes import Objective
from ns_tf.train.training import Training, train

RECIPE = TrainConfig(epochs=1, batch=41, rate=0.05, momentum=0.9)


@pytest.fixture(scope="module")
def work():
    return problem(chain, (7, 5))


@pytest.fixture(scope="module")
def objective(work):
    return Objective(recipes.get("refine"), work.dataset.classes, work.build((11, 7)))


def test_the_tasks_loss_needs_no_objective(work):
    lesson = Lesson(work, RECIPE, None, Runtime())
    assert lesson.dataset is work.dataset and lesson.state() == {}
    _, labels = next(iter(lesson.batches(0)))
    assert labels.shape == (41,)


def test_a_table_has_six_images_of_each_and_a_row_for_each(work, objective):
    lesson = Lesson(work, RECIPE, objective, Runtime(seed=3))
    count = TIMES * len(work.dataset.train)
    assert len(lesson.dataset.train) == count
    assert lesson.state()["label_table"].shape == (count, 5)
    _, (labels, numbers) = next(iter(lesson.batches(2)))
    np.testing.assert_array_equal(lesson.dataset.train.labels[numbers], labels)


def test_an_epoch_goes_through_all_of_them(work, objective):
    training = Training(work, work.build, RECIPE, Runtime(), objective)
    assert training.total == TIMES * len(work.dataset.train) // 41


def test_a_killed_training_goes_on_with_its_table(work, objective, tmp_path):
    def done(watch):
        runtime = Runtime(seed=3, watch=watch)
        return train(work, work.build, RECIPE, runtime, objective=objective)

    expected = done(Watch()).model.get_weights()
    with pytest.raises(Ended):
        done(Watch(KilledAt(5), folder=tmp_path, seconds=0))
    again = done(Watch(folder=tmp_path)).model.get_weights()
    for one, other in zip(expected, again, strict=True):
        np.testing.assert_array_equal(one, other)
