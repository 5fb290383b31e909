"""Where a comparison's searches come from: run folders, flagfiles, or nowhere."""

import types
from pathlib import Path

import pytest
from toys import NAMES, toy_search, written

from ns_tf.base import InputError
from ns_tf.data.config import DataConfig
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.record import write_search
from ns_tf.engine.config import ExecutionConfig, RuntimeConfig
from ns_tf.plan import sources
from ns_tf.plan.methods import Entry
from ns_tf.plan.sources import Sources, check_layers, is_flagfile, settings
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.flagfile import as_flagfile

STRUCTURE = types.SimpleNamespace(
    names=NAMES, architecture=types.SimpleNamespace(name="toy")
)


def sources_of(folder, default, *texts, data_dir=None):
    entries = [Entry.parse(text) for text in texts]
    return Sources(folder, default, entries, ExecutionConfig(), data_dir)


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The run folder of a search."""
    return str(written(tmp_path_factory.mktemp("search"), toy_search()))


@pytest.fixture
def flagfile(tmp_path):
    path = tmp_path / "toy.flags"
    path.write_text("--architecture=vgg11\n--dataset=digits\n--iterations=3\n")
    return str(path)


def test_a_flagfile_is_told_by_its_ending():
    assert is_flagfile("a/b.flags") and not is_flagfile("runs/flags")


def test_an_entry_has_its_own_search_or_the_default_one_or_needs_none(search, flagfile):
    one, two, three = (
        Entry.parse(text) for text in ("neuralscale", f"morphnet:{search}", "uniform")
    )
    made = Sources(Path("x"), flagfile, [one, two, three], ExecutionConfig(), None)
    assert made.of(one) == flagfile and made.of(two) == search
    assert made.of(three) is None
    assert made.all == [flagfile, search] == made.used


def test_a_default_that_nobody_uses_is_known_but_not_done(tmp_path, flagfile):
    made = sources_of(tmp_path, flagfile, "uniform")
    assert made.all == [flagfile] and made.used == [] and made.pending() == {}


def test_a_method_that_needs_a_search_and_has_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="--search=RUN_DIR.* neuralscale:RUN_DIR"):
        sources_of(tmp_path, None, "neuralscale")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="no search at nowhere.*NAME.flags"):
        sources_of(tmp_path, "nowhere", "uniform")


def test_flagfiles_of_one_name_would_share_a_folder(tmp_path):
    with pytest.raises(InputError, match="a/x.flags and b/x.flags would be kept in"):
        sources_of(tmp_path, "a/x.flags", "neuralscale", "morphnet:b/x.flags")


def test_a_folder_may_be_spelled_in_several_ways(tmp_path, search):
    made = sources_of(tmp_path, f"{search}/", "neuralscale", f"morphnet:{search}")
    assert {made.folder_of(one) for one in made.all} == {Path(search)}


def test_searches_by_flagfile_are_kept_below_the_comparison(tmp_path, search, flagfile):
    made = sources_of(tmp_path, flagfile, "neuralscale")
    assert made.folder_of(flagfile) == tmp_path / "searches" / "toy"
    assert str(made.folder_of(search)) == search


def test_a_finished_search_is_read_and_one_of_other_layers_refused(tmp_path, search):
    made = sources_of(tmp_path, search, "neuralscale")
    record = made.read(search, STRUCTURE)
    assert record.names == NAMES and len(record.states) == 2
    other = types.SimpleNamespace(
        names=("a", "b"), architecture=types.SimpleNamespace(name="other")
    )
    with pytest.raises(InputError, match="another network .* other: .* a, b, c"):
        made.read(search, other)


def test_a_search_without_an_iteration_is_refused(tmp_path):
    write_search(tmp_path, toy_search(0))
    made = sources_of(tmp_path / "run", str(tmp_path), "neuralscale")
    with pytest.raises(InputError, match="no finished iteration"):
        made.read(str(tmp_path), STRUCTURE)


def test_layers_of_the_compared_network_pass():
    check_layers("x", NAMES, STRUCTURE)
    with pytest.raises(InputError, match="The search x is of another network"):
        check_layers("x", NAMES[::-1], STRUCTURE)


# Settings of searches by flagfile.


def test_a_flagfiles_threads_and_checkpoints_are_the_comparisons(flagfile):
    execution = ExecutionConfig(threads=3, checkpoint_seconds=7.0)
    chosen = settings(flagfile, execution, "data")
    runtime = chosen[RuntimeConfig]
    assert (runtime.threads, runtime.checkpoint_seconds) == (3, 7.0)
    assert chosen[DataConfig].data_dir == "data"
    assert chosen[SearchConfig].iterations == 3


def test_a_flagfiles_search_is_done_by_the_workers_of_the_comparison(tmp_path):
    (tmp_path / "x.flags").write_text("--workers_at=c:1,d:1\n--worker=1\n")
    at = {"workers_at": ("a:1", "b:1"), "worker": 0, "workers_seconds": 7.0}
    for given in ({}, at):
        execution = ExecutionConfig(**given)
        runtime = settings(str(tmp_path / "x.flags"), execution, None)[RuntimeConfig]
        found = runtime.workers_at, runtime.worker, runtime.workers_seconds
        assert found == tuple(given.values() or ((), None, 300.0))


def test_a_flagfiles_own_data_folder_counts(tmp_path):
    (tmp_path / "x.flags").write_text("--dataset=digits\n--data_dir=mine\n")
    chosen = settings(str(tmp_path / "x.flags"), ExecutionConfig(), "data")
    assert chosen[DataConfig].data_dir == "mine"


def test_network_and_data_of_a_search_are_those_of_its_settings(flagfile):
    config = sources.problem_config(settings(flagfile, ExecutionConfig(), None))
    assert (config.architecture, config.dataset) == ("vgg11", "digits")
    assert config.split_seed == DataConfig().split_seed


def test_what_is_left_empty_comes_from_the_default_search(tmp_path, flagfile):
    made = sources_of(tmp_path, flagfile, "neuralscale")
    config = made.complete(ProblemConfig(dataset="cifar10"))
    assert (config.architecture, config.dataset) == ("vgg11", "cifar10")
    with pytest.raises(InputError, match="--architecture.* or --search"):
        sources_of(tmp_path, None, "uniform").complete(ProblemConfig())


def test_a_flagfile_that_is_not_there_is_refused(tmp_path):
    made = sources_of(tmp_path, "nowhere.flags", "neuralscale")
    with pytest.raises(InputError, match="nowhere.flags"):
        made.pending()


def test_a_finished_search_of_the_same_flags_is_not_pending(tmp_path, network):
    """Two iterations are there: two of one flagfile, and one less than another asks."""
    for name, iterations in (("done", 2), ("more", 3)):
        path = tmp_path / f"{name}.flags"
        lines = (
            network,
            "--dataset=digits",
            "--image_size=16",
            "--filters_per_event=2",
        )
        path.write_text("\n".join([*lines, f"--iterations={iterations}"]))
        folder = tmp_path / "searches" / name
        folder.mkdir(parents=True)
        chosen = settings(str(path), ExecutionConfig(), None)
        (folder / "run.flags").write_text(as_flagfile(list(chosen.values())))
        written(folder, toy_search(2))
    done, more = (f"{tmp_path / name}.flags" for name in ("done", "more"))
    made = sources_of(tmp_path, None, f"neuralscale:{done}", f"morphnet:{more}")
    assert list(made.pending()) == [more]
    Path(done).write_text(Path(done).read_text() + "\n--seed=5")
    with pytest.raises(InputError, match="of other flags .*--seed: 0 -> 5"):
        made.pending()
