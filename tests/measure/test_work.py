"""Measuring: the law is found again, killed runs go on, other settings are refused."""

import json
from unittest import mock

import pytest
from conftest import HANDMADE
from laws import config, law
from picked import picked

from ns_tf.base import InputError
from ns_tf.measure.work import Measuring
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is
from ns_tf.run import files

LITTLE = {"points": 2, "networks": 2}
SIZES = {"chain": (40, 24), "concat": (24, 40, 16), "depthwise": (16, 24)}


def measuring(name, folder, **options):
    structure = as_it_is(from_model(HANDMADE[name](), "mine"))
    options.setdefault("machine", "a toy")
    return Measuring(structure, SIZES[name], config(**options), folder / "device.json")


@pytest.mark.parametrize("name", picked({"concat"}, SIZES))
def test_a_law_is_found_again_at_any_widths(name, tmp_path, rng):
    work = measuring(name, tmp_path)
    device = work.run()
    build = work.survey.structure.build
    for _ in range(4):
        widths = [int(rng.integers(1, most + 1)) for most in SIZES[name]]
        assert device.ms(widths) == pytest.approx(law(build(widths)), rel=1e-6)
    assert not work._begun.exists()


@pytest.mark.parametrize("after", picked({1}, [0, 1, 4]))
def test_a_measurement_that_is_killed_anywhere_goes_on(tmp_path, monkeypatch, after):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    measuring("chain", whole, **LITTLE).run()
    write, left = files.write_json, [after]

    class Killed(BaseException):
        pass

    def killing(path, value):
        if not left[0]:
            raise Killed
        left[0] -= 1
        write(path, value)

    monkeypatch.setattr(files, "write_json", killing)
    with pytest.raises(Killed):
        measuring("chain", killed, **LITTLE).run()
    monkeypatch.setattr(files, "write_json", write)
    work = measuring("chain", killed, **LITTLE)
    with mock.patch.object(work, "_measured", wraps=work._measured) as measured:
        work.run()
    assert measured.call_count == 4 - after
    expected = (whole / "device.json").read_text()
    assert (killed / "device.json").read_text() == expected


def test_the_same_command_reads_what_it_wrote_and_others_are_refused(tmp_path):
    first = measuring("chain", tmp_path, **LITTLE).run()
    before = (tmp_path / "device.json").read_bytes()
    again = measuring("chain", tmp_path, **LITTLE).run()
    assert again.ms((5, 7)) == first.ms((5, 7))
    for other in ({"batch": 3}, {"threads": 2}):
        with pytest.raises(InputError, match="other settings"):
            measuring("chain", tmp_path, **LITTLE, **other).run()
    with pytest.raises(InputError, match="another network"):
        measuring("concat", tmp_path, **LITTLE).run()
    assert (tmp_path / "device.json").read_bytes() == before


CHANGES = {
    "machine": {"machine": "another toy"},
    "rounds": {"rounds": 2},
    "step": {"step": 4},
    "points": {"points": 4},
    "networks": {"networks": 4},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder with a device file."""
    folder = tmp_path_factory.mktemp("done")
    measuring("chain", folder).run()
    return folder


@pytest.mark.parametrize("told", CHANGES)
def test_a_device_file_of_other_settings_is_not_read_for_these(done, told):
    match = rf"other settings \({told}\). Give another --out, or remove it"
    with pytest.raises(InputError, match=match):
        measuring("chain", done, **CHANGES[told]).run()


def test_a_device_file_of_narrower_tables_is_not_read_for_wider_ones(done, monkeypatch):
    monkeypatch.setitem(SIZES, "chain", (80, 48))
    with pytest.raises(InputError, match=r"other settings \(up_to\)"):
        measuring("chain", done).run()


def test_a_machine_that_is_not_named_may_be_any(done):
    assert measuring("chain", done, machine=None).run().machine == "a toy"


def test_the_device_file_of_a_model_lies_beside_it(tmp_path):
    HANDMADE["chain"]().save(tmp_path / "mine.keras")
    for model in (f"{tmp_path}/mine.keras", f"keras:{tmp_path}/mine.keras"):
        found = Measuring.of(config(model=model))
        assert found.out == tmp_path / "device.json"
    with pytest.raises(InputError, match="--classes are of architectures"):
        Measuring.of(config(model=model, classes=17))


def test_a_beginning_of_other_settings_or_a_damaged_one_is_refused(tmp_path):
    work = measuring("chain", tmp_path)
    begun = work._kept()
    begun["times"].append({"ms": [[[1.0]]], "spread": [[[0.0]]], "pace": 1.0})
    work._keep(begun)
    with pytest.raises(InputError, match="damaged .times are missing"):
        measuring("chain", tmp_path).run()
    work._begun.write_text(json.dumps({**begun, "asked": {}}))
    with pytest.raises(InputError, match="other settings .runtime, threads"):
        measuring("chain", tmp_path).run()


def test_a_beginning_that_a_kill_left_behind_its_device_file_goes(tmp_path):
    """Else who removes the file, to measure again, gets the times of then."""
    work = measuring("chain", tmp_path, **LITTLE)
    first = work.run()
    work._keep(work._kept())
    assert work._begun.exists()
    assert work.run().ms((5, 7)) == first.ms((5, 7)) and not work._begun.exists()


def test_times_that_fall_are_measured_again_and_the_least_count(tmp_path, monkeypatch):
    work, rounds = measuring("chain", tmp_path), []
    own = work._ready

    def disturbed(builds):
        ready = own(builds)
        slow = ready[0]

        def run():
            rounds.append(1)
            return slow() + (50 if len(rounds) <= 4 else 0)

        return [run, *ready[1:]]

    monkeypatch.setattr(work, "_ready", disturbed)
    shape = work.survey.shapes[1]
    found = work._measured(shape)["ms"]
    expected = law(shape.unit.built(*shape.points[0])) - 0.25
    assert found[0][0][0] == pytest.approx(expected) and len(rounds) > 4


def test_a_machine_that_is_slower_at_one_time_measures_the_same(
    done, tmp_path, monkeypatch
):
    usual = measuring("chain", done).run()  # Measured before.
    work, calls = measuring("chain", tmp_path), []
    own = work._ready

    def slower(builds):  # Each group of networks is timed at a pace of its own.
        calls.append(1)
        pace = len(calls)
        return [lambda run=run: pace * run() for run in own(builds)]

    monkeypatch.setattr(work, "_ready", slower)
    device = work.run()
    pace = (1 + len(calls)) / 2  # The median one.
    for widths in ((40, 24), (7, 5), (16, 8)):
        assert device.ms(widths) == pytest.approx(pace * usual.ms(widths), rel=1e-6)


def test_a_runtime_that_is_not_installed_is_refused(tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install ai-edge-litert"):
        measuring("chain", tmp_path, runtime="litert")
