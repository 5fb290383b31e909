"""Every method keeps to every budget; what each of them does beside."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from searches import made_up

from ns_tf.base import InputError
from ns_tf.compare import cells
from ns_tf.compare.cells import Kept
from ns_tf.descend.record import new_search
from ns_tf.graph.inherit import crossings
from ns_tf.networks import architectures
from ns_tf.networks.architectures import ARCHITECTURES
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, count_params
from ns_tf.plan import methods
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.methods import METHODS, Entry, NotApplicable, Setting, li_l1
from ns_tf.prune.removal import Prunable, down_to

ROOT = Path(__file__).parents[1]
NETWORKS = ARCHITECTURES.names()


def plain_of(name):
    found = analyse(architectures.get(name), (32, 32, 3), 10)
    return found, new_search(found, "data", found.architecture.widths)


@pytest.fixture(params=NETWORKS)
def task(request, rng, tmp_path):
    """Makes a setting of an architecture for the method of a text."""
    found, plain = plain_of(request.param)
    search = made_up(plain, rng)
    widths = {"widths": [w + 0.5 for w in plain.default_widths]}
    (tmp_path / "widths.json").write_text(json.dumps(widths))

    def setting(text, **solver):
        if text == "file":
            text = f"file:{tmp_path / 'widths.json'}"
        entry = Entry.parse(text)
        needs = methods.get(entry.name).needs_search
        config = SolverConfig(**solver)
        return Setting(entry, found, plain, config, search if needs else None)

    return setting


@pytest.mark.parametrize("name", METHODS.names())
@pytest.mark.parametrize("ratio", [0.29, 0.83])
def test_a_method_keeps_to_the_budget_and_nothing_more_fits(task, name, ratio):
    setting = task(name)
    costs = setting.plain.costs["params"]
    budget = ratio**2 * float(costs(np.array(setting.plain.default_widths)))
    try:
        found = methods.get(name).propose(setting, {"params": budget})
    except NotApplicable as reason:
        assert name == "conv_cut" and "vgg11" in str(reason)
        return
    built = architectures.get(found.architecture).build(
        found.widths, input_shape=(32, 32, 3), classes=10
    )
    params = count_params(built)
    assert params == found.costs["params"] <= budget
    assert params > 0.98 * budget


def test_conv_cut_has_no_identity_shortcut(task):
    setting = task("conv_cut")
    try:
        found = methods.get("conv_cut").propose(setting, {"params": 3e5})
    except NotApplicable:
        return
    assert found.architecture.endswith("(shortcuts='convolution')")
    model = architectures.get(found.architecture).build(
        found.widths, input_shape=(32, 32, 3), classes=10
    )
    adds = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)]
    names = {layer.name for layer in model.layers}
    assert adds
    for add in adds:
        assert f"{add.name.removesuffix('_add')}_shortcut" in names


def test_options_of_an_architecture_stay_when_shortcuts_are_cut():
    found, plain = plain_of("mobilenet_v2(late_stride=2)")
    setting = Setting(Entry.parse("conv_cut"), found, plain, SolverConfig())
    made = methods.get("conv_cut").propose(setting, {"params": 3e5})
    options = architectures.registry.parse_call(made.architecture)[1]
    assert options == {"late_stride": 2, "shortcuts": "convolution"}


def test_shortcuts_are_of_two_kinds():
    with pytest.raises(InputError, match="'identity' or 'convolution'; got 'none'"):
        architectures.get("preact_resnet18(shortcuts='none')").build(
            input_shape=(32, 32, 3), classes=10
        )


def test_li_l1_offers_nothing_larger_than_the_default(task):
    setting = task("li_l1")
    full = float(setting.plain.costs["params"](np.array(setting.plain.default_widths)))
    with pytest.raises(NotApplicable, match="smaller"):
        methods.get("li_l1").propose(setting, {"params": 2 * full})


def test_li_l1_keeps_the_filters_of_largest_norm(handmade, randomise):
    model = randomise(handmade["chain"]())
    found = analyse(from_model(model), (6, 7, 3), 5)
    trained = randomise(found.build())
    made = methods.get("li_l1").start(trained, found, (5, 3))
    kernel, thin = (
        {layer.name: layer for layer in m.layers}["a"].kernel.numpy()
        for m in (trained, made)
    )
    norms = np.abs(kernel).sum((0, 1, 2))
    best = np.sort(np.argsort(norms)[-5:])
    np.testing.assert_array_equal(thin, kernel[..., best])


def test_li_l1_chooses_the_same_channels_at_both_ends_of_an_identity(randomise):
    found, plain = plain_of("preact_resnet18")
    widths = tuple(width // 16 for width in plain.default_widths)
    thinner = tuple(width * 3 // 4 for width in widths)
    trained = randomise(found.build(widths))
    graph = found.graph(trained)
    scores = li_l1._norms(trained, graph)
    keep = down_to(scores, Prunable.of(found, graph), thinner)
    joined = crossings(graph)
    assert joined
    assert all(keep[source] == keep[target] for target, source in joined.items())
    model = methods.get("li_l1").start(trained, found, thinner)
    assert count_params(model) == int(found.params(np.array(thinner)))


@pytest.mark.parametrize("name", ["vgg11_cifar10", "mobilenet_v2_cifar100"])
def test_published_laws_are_those_of_the_goldens(name):
    kept = json.loads((ROOT / f"flags/published/{name}.json").read_text())
    golden = json.loads((ROOT / f"tests/goldens/{name}.json").read_text())
    laws = {one["iteration"]: one for one in kept["iterations"]}
    for one in golden["iterations"]:
        assert laws[one["iteration"]]["alpha"] == one["alpha"]
        assert laws[one["iteration"]]["beta"] == one["beta"]


def test_the_published_law_gives_the_published_widths():
    """PAPER: iteration 15 at r = 0.25; theirs is 0.14 % over the budget."""
    found, plain = plain_of("vgg11")
    entry = Entry.parse(f"file@15:{ROOT}/flags/published/vgg11_cifar10.json")
    setting = Setting(entry, found, plain, SolverConfig())
    made = methods.get("file").propose(setting, {"params": 579_786})
    theirs = np.array([88, 132, 137, 120, 82, 56, 31, 53])
    assert np.abs(np.array(made.widths) - theirs).max() <= 1
    assert made.costs["params"] <= 579_786


@pytest.mark.parametrize(
    "text, told",
    {
        "": "It needs alpha and beta, or widths, for every layer.",
        "[]": "is damaged",
        '{"widths": [3, 5]}': "expected 8 numbers",
        '{"widths": [0, 1, 1, 1, 1, 1, 1, 1]}': "not positive",
        '{"alpha": [1, 1, 1, 1, 1, 1, 1, 1]}': "damaged",
        '{"alpha": [-1, 1, 1, 1, 1, 1, 1, 1], "beta": [1, 1, 1, 1, 1, 1, 1, 1]}': (
            "positive alpha"
        ),
        '{"iterations": [{"iteration": 3}, {"iteration": 5}]}': "iterations [3, 5]",
    }.items(),
)
def test_a_file_that_holds_no_widths_is_refused(tmp_path, text, told):
    (tmp_path / "x.json").write_text(text)
    found, plain = plain_of("vgg11")
    entry = Entry.parse(f"file:{tmp_path / 'x.json'}")
    setting = Setting(entry, found, plain, SolverConfig())
    with pytest.raises(InputError) as error:
        methods.get("file").propose(setting, {"params": 579_786})
    assert told in str(error.value)


@pytest.mark.parametrize(
    "text, expected",
    {
        "uniform": Entry("uniform"),
        "neuralscale@15": Entry("neuralscale", 15),
        "morphnet:runs/x=y": Entry("morphnet", None, "runs/x=y"),
        "P 2=neuralscale@3:a/b.flags": Entry("neuralscale", 3, "a/b.flags", "P 2"),
    }.items(),
)
def test_a_method_is_written_as_label_name_iteration_source(text, expected):
    assert Entry.parse(text) == expected


@pytest.mark.parametrize(
    "text, told",
    {
        "": "A method is",
        "neural scale": "A method is",
        "neuralscal": "Did you mean 'neuralscale'?",
        "neuralscale@x": "A method is",
        "=uniform": "A method is",
        "uniform:": "A method is",
        "uniform@3": "no iteration and no source",
        "li_l1:runs/x": "no iteration and no source",
        "neuralscale@0": "Iterations count from 1",
    }.items(),
)
def test_what_is_no_method_is_refused(text, told):
    with pytest.raises(InputError) as error:
        Entry.parse(text)
    assert told in str(error.value)


@pytest.mark.parametrize(
    "text, told",
    {
        "": "Unknown budget ''",
        "param=3": "Did you mean 'params'?",
        "params": "positive number",
        "params=": "positive number",
        "params=-1": "positive number",
        "ratio=nan": "positive number",
        "params=3+": "Unknown budget ''",
    }.items(),
)
def test_what_is_no_budget_is_refused(text, told):
    with pytest.raises(InputError) as error:
        cells.parse_budget(text)
    assert told in str(error.value)


def test_several_budgets_hold_at_once():
    assert cells.parse_budget("params=600+macs=5e3") == {"params": 600, "macs": 5000}
    found, plain = plain_of("vgg11")
    setting = Setting(Entry.parse("uniform"), found, plain, SolverConfig())
    nothing = Kept({}, (), None)
    plan = cells.make([setting], ["params=600000+macs=5e6"], (3, 7), nothing, {}, {})
    costs = found.params(np.array(next(iter(plan.asked.values())).widths))
    assert costs <= 600_000
    assert [cell.seed for cell in plan.asked.values()] == [3, 7]
