"""The contract: what stays as it is, however the modules are arranged.

Where a difference is meant, tools/update_contract.py shows it and records what is new.
"""

import json

import contract
import pytest

GOLDEN = json.loads(contract.GOLDEN.read_text())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The runs that were recorded, done again."""
    return contract.record(tmp_path_factory.mktemp("contract"))


def refused(done, verb, *told):
    """Checks for exit code 2, one line of standard error, and what it names."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith(f"ns_tf.{verb}: ") and done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    for words in told:
        assert words in done.stderr


# Commands, flags and flagfiles.


@pytest.mark.parametrize("verb", contract.VERBS)
def test_help_has_the_flags_with_their_values_and_defaults(verb):
    """There may be more flags, and more values of one."""
    found, kept = contract.flags(verb), GOLDEN["flags"][verb]
    assert kept.keys() <= found.keys()
    for name, flag in kept.items():
        assert found[name]["default"] == flag["default"], name
        assert set(flag["takes"].split("|")) <= set(found[name]["takes"].split("|"))


def test_every_flagfile_is_there_and_of_its_command():
    assert GOLDEN["flagfiles"].items() <= contract.flagfiles().items()


@pytest.mark.parametrize("verb", sorted(set(GOLDEN["flagfiles"].values())))
def test_flagfiles_are_accepted_by_their_command(verb):
    """Which then misses the run folder, and nothing else."""
    paths = [path for path, taker in contract.flagfiles().items() if taker == verb]
    done = contract.run(verb, *(f"--flagfile={path}" for path in paths))
    refused(done, verb, "--run_dir")
    assert done.stderr == contract.run(verb).stderr


@pytest.mark.parametrize("verb", contract.VERBS)
def test_a_wrong_flag_is_refused_in_one_line_and_nothing_is_written(verb, tmp_path):
    done = contract.run(verb, "--run_dir=run", "--no_such_flag=1", cwd=tmp_path)
    refused(done, verb, "no_such_flag")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", contract.VERBS)
def test_a_missing_run_folder_is_refused_in_one_line_and_nothing_is_written(
    verb, tmp_path
):
    refused(contract.run(verb, cwd=tmp_path), verb, "--run_dir")
    assert not list(tmp_path.iterdir())


def test_a_plan_of_an_empty_folder_is_refused_and_nothing_is_written(tmp_path):
    done = contract.run("plan", "--run_dir=.", "--params=20000", cwd=tmp_path)
    refused(done, "plan", "descent.json", "python -m ns_tf.descend")
    assert not list(tmp_path.iterdir())


# Names, files and figures.


@pytest.mark.slow
def test_public_names_stay_and_no_module_hides_them(recorded):
    assert recorded["names"] == GOLDEN["names"]


@pytest.mark.slow
@pytest.mark.parametrize("what", GOLDEN["written"])
def test_a_run_writes_files_of_the_same_names_and_beginnings(recorded, what):
    found, kept = recorded["written"][what], GOLDEN["written"][what]
    if what in ("files", "flags", "keys"):  # There may be more of them.
        assert found.keys() == kept.keys()
        for path in kept:
            assert set(contract.set_lines(kept[path])) <= set(found[path]), path
    elif what == "headers":  # There may be more files.
        assert kept.items() <= found.items()
    else:
        assert found == kept


@pytest.mark.slow
@pytest.mark.parametrize("command", GOLDEN["figures"])
def test_figures_have_the_same_form(recorded, command):
    contract.check_form(recorded["figures"][command], GOLDEN["figures"][command])


@pytest.mark.slow
@pytest.mark.parametrize("command", GOLDEN["figures"])
def test_figures_are_the_same(recorded, command):
    here = contract.maker()
    if here != GOLDEN["maker"]:
        pytest.skip(f"only their form: they are of {GOLDEN['maker']}, this is {here}")
    found, kept = recorded["figures"][command], GOLDEN["figures"][command]
    assert contract.reduced(found, kept) == kept


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDEN["finished"]["widths"])
def test_a_finished_search_plans_the_widths_it_planned(recorded, name):
    widths = recorded["finished"]["widths"]
    assert widths[name] == GOLDEN["finished"]["widths"][name]


@pytest.mark.slow
def test_finished_comparisons_are_reported(recorded):
    assert set(GOLDEN["finished"]["reports"]) <= set(recorded["finished"]["reports"])


@pytest.mark.slow
def test_a_finished_comparison_goes_on_with_nothing_left_to_do(recorded):
    if recorded["continued"] is None:
        pytest.skip("its data are not here")
    assert recorded["continued"] == GOLDEN["continued"]
