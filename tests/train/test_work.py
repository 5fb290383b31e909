"""A training in a run folder."""

import dataclasses

import pytest
from small import chain, problem

from ns_tf.base import InputError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import MethodConfig
from ns_tf.problem.config import NetworkConfig, ProblemConfig
from ns_tf.run.flagfile import as_flagfile, from_flagfile
from ns_tf.run.folder import FLAGS, RESULT, TRAIN
from ns_tf.train.config import TrainConfig
from ns_tf.train.work import TrainRun

RECIPE = TrainConfig(epochs=1, batch=16, rate=0.05)
RUNTIME = RuntimeConfig(seed=3)


@dataclasses.dataclass
class Fixed:
    """A choice of widths that are given."""

    answer: tuple = (5, 3)
    flags: tuple = ()

    def widths(self, problem, run_dir, folder):
        self.asked = problem, run_dir, folder
        return self.answer

    def name(self, seed):
        return f"fixed_seed{seed}"


@pytest.fixture(scope="module")
def work():
    return problem(chain, (7, 5))


def run(run_dir, work, choice=None, network=None, recipe=RECIPE):
    network, choice = network or NetworkConfig(), choice or Fixed()
    return TrainRun(run_dir, network, choice, recipe, RUNTIME, problem=work)


def test_the_choice_decides_widths_and_name(work, tmp_path):
    choice = Fixed()
    made = run(tmp_path, work, choice)
    assert made.folder == tmp_path / TRAIN / "fixed_seed3"
    assert choice.asked == (work, tmp_path, made.folder)
    assert made.widths == made.job.widths == (5, 3)
    assert made.costs == made.job.costs
    assert made.job.runtime.seed == 3


def test_a_name_in_the_flags_comes_first(work, tmp_path):
    made = run(tmp_path, work, network=NetworkConfig(name="it"))
    assert made.folder == tmp_path / TRAIN / "it"


def test_making_it_writes_nothing_and_running_it_keeps_all_flags(work, tmp_path):
    made_by = Fixed(flags=(MethodConfig(method="uniform"),))
    made = run(tmp_path, work, made_by)
    assert list(tmp_path.iterdir()) == []
    result = made.run()
    assert result["widths"] == [5, 3] and (made.folder / RESULT).exists()
    text = (made.folder / FLAGS).read_text()
    assert from_flagfile(TrainConfig, text) == RECIPE
    assert from_flagfile(RuntimeConfig, text) == RUNTIME
    assert from_flagfile(MethodConfig, text).method == "uniform"
    with pytest.raises(InputError, match="training of other flags"):
        run(tmp_path, work, made_by, recipe=dataclasses.replace(RECIPE, epochs=2))


def test_network_and_data_are_found_by_name_or_by_the_run_folders_flags(tmp_path):
    (tmp_path / FLAGS).write_text(as_flagfile((ProblemConfig("vgg11", "digits"),)))
    choice = Fixed((3,) * 8)
    made = TrainRun(tmp_path, NetworkConfig(image_size=32), choice, RECIPE, RUNTIME)
    assert made.problem.architecture.name == "vgg11"
    assert made.problem.dataset.image_shape == (32, 32, 1)
    network, *_ = made.job.flags
    assert (network.architecture, network.dataset) == ("vgg11", "digits")


def test_what_cannot_be_trained_is_refused_when_it_is_made(work, tmp_path):
    with pytest.raises(InputError, match="holds no search"):
        TrainRun(tmp_path, NetworkConfig(), Fixed(), RECIPE, RUNTIME)
    with pytest.raises(InputError, match="too large"):
        run(tmp_path, work, recipe=dataclasses.replace(RECIPE, batch=1009))
    with pytest.raises(ValueError):
        run(tmp_path, work, Fixed((5,)))
    assert list(tmp_path.iterdir()) == []
