"""A search in a folder: written as it goes, continued, and refused before it writes."""

import dataclasses

import numpy as np
import pytest
from toys import DEFAULT, toy_architecture, toy_search
from verbs import contents

from ns_tf.base import InputError
from ns_tf.data.arrays import from_arrays
from ns_tf.data.config import DataConfig
from ns_tf.descend import work
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.record import read_search
from ns_tf.descend.work import SEARCH_CONFIGS, SearchRun, configure
from ns_tf.engine.config import RuntimeConfig
from ns_tf.prune.config import PruneConfig
from ns_tf.run.folder import InUse, open_run
from ns_tf.run.watch import Watch


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (41, 11, 11, 3)).astype(np.uint8)
    return from_arrays((images, np.arange(41) % 5), classes=5)


@pytest.fixture
def search(dataset):
    """Makes a search of the made-up network."""

    def search(**options):
        few = {"filters_per_event": 2, "search_batch": 7}
        configs = configure(SEARCH_CONFIGS, few, options)
        return SearchRun(configs, architecture=toy_architecture(), dataset=dataset)

    return search


@pytest.fixture
def descended(monkeypatch):
    """Has iterations that cost nothing; the iterations that were begun."""
    begun, states = [], toy_search(5).states

    def descent(
        problem, widths, config, runtime, *, iterations, tolerance, done, start
    ):
        for state in states[len(done) : iterations]:
            begun.append(state.iteration)
            if runtime.watch.folder:
                path = runtime.watch.folder / work.checkpoint_of(state.iteration)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(b"")
            yield state

    monkeypatch.setattr(work, "architecture_descent", descent)
    return begun


def test_every_iteration_is_written_and_drawn_as_it_ends(search, descended, tmp_path):
    folder = tmp_path / "run"
    record = search(iterations=2).run(folder)
    assert [state.iteration for state in record.states] == [1, 2]
    again = read_search(folder)
    assert len(again.states) == 2 and again.seed_widths == DEFAULT
    assert {p.name for p in (folder / "plots").iterdir()} == {
        "growth_01.png",
        "growth_02.png",
        "widths.png",
    }
    assert not list((folder / "checkpoints").iterdir()), "they have served"


def test_a_search_without_a_folder_writes_nothing(
    search, descended, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert len(search(iterations=2).run(watch=Watch()).states) == 2
    assert contents(tmp_path) == {}


def test_more_iterations_continue_and_are_kept_as_flags(search, descended, tmp_path):
    folder = tmp_path / "run"
    search(iterations=1).run(folder)
    record = search(iterations=3).run(folder)
    assert descended == [1, 2, 3] and len(record.states) == 3
    assert "--iterations=3" in (folder / "run.flags").read_text()
    before = contents(folder)
    assert len(search(iterations=2).run(folder).states) == 3, "nothing is taken back"
    assert descended == [1, 2, 3] and contents(folder) == before


def test_other_flags_or_another_process_are_refused(search, descended, tmp_path):
    folder = tmp_path / "run"
    search().run(folder)
    search().check_folder(folder)
    before = contents(folder)
    with pytest.raises(InputError, match="search of other flags .*--seed: 0 -> 3"):
        search(seed=3).check_folder(folder)
    with pytest.raises(InputError, match="--seed: 0 -> 3"):
        search(seed=3).run(folder)
    with open_run(folder, search()._flags, "search"), pytest.raises(InUse):
        search().run(folder)
    assert contents(folder) == before and descended == [1]


def test_the_seed_network_is_the_ratio_or_the_widths(search):
    assert search().widths == DEFAULT
    assert search(ratio=0.5).widths == tuple(width // 2 for width in DEFAULT)
    assert search(widths=(11, 13, 17)).widths == (11, 13, 17)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"widths": (3, 5)}, "toy has 3 widths; got 2"),
        ({"filters_per_event": 40}, "at least 6 removals"),
        ({"search_batch": 41}, "41 is too large"),
    ],
)
def test_a_search_that_cannot_be_is_refused_when_it_is_made(search, options, told):
    few = {"filters_per_event": 2, "search_batch": 7}
    with pytest.raises(InputError, match=told):
        configs = configure(SEARCH_CONFIGS, {}, {**few, **options})
        SearchRun(configs, architecture=toy_architecture(), dataset=_data(search))


def _data(search):
    return search().problem.dataset


# Settings from keywords.


def test_fields_are_set_in_the_class_that_has_them():
    configs = configure(SEARCH_CONFIGS, {"ratio": 0.5}, {"seed": 3, "split_seed": 5})
    assert tuple(configs) == SEARCH_CONFIGS
    assert configs[SearchConfig].ratio == 0.5 and configs[RuntimeConfig].seed == 3
    assert configs[DataConfig].split_seed == 5
    assert configs[PruneConfig] == PruneConfig()


def test_a_field_that_nobody_has_or_that_is_given_twice_is_refused():
    with pytest.raises(InputError, match="Did you mean 'ratio'"):
        configure((SearchConfig,), {}, {"rato": 0.5})
    with pytest.raises(InputError, match="ratio is given twice"):
        configure((SearchConfig,), {"ratio": 0.5}, {"ratio": 0.25})


def test_settings_are_checked_as_flags_are():
    with pytest.raises(InputError, match="--iterations"):
        configure((SearchConfig,), {}, {"iterations": 0})
    changed = dataclasses.replace(SearchConfig(), iterations=3)
    assert configure((SearchConfig,), {"iterations": 3}, {}) == {SearchConfig: changed}
