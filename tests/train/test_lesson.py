"""A training by a table of labels: its images, its state."""

import numpy as np
import pytest
from small import chain, problem
from trained import walked

from ns_tf.data.variants import TIMES
from ns_tf.engine.runtime import Runtime
from ns_tf.run import files
from ns_tf.train import recipes
from ns_tf.train.config import TrainConfig
from ns_tf.train.lesson import Lesson
from ns_tf.train.recipes import Objective
from ns_tf.train.training import Training

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
    def made():
        return Training(work, work.build, RECIPE, Runtime(seed=3), objective)

    straight, again = made(), made()
    files.write_arrays(tmp_path / "it.npz", *walked(straight, saved_at=5))
    again.restore(*files.read_arrays(tmp_path / "it.npz"))
    walked(again)
    (expected, _), (found, _) = straight.state(), again.state()
    assert "label_table" in found and found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
