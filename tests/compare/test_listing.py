"""Which cells a comparison has: budgets, names, trunks, what earlier runs had."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import DEFAULT, file_of, params, toy_setting

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.compare import listing
from ns_tf.compare.cells import (
    FINETUNE,
    MEMBER,
    MORPHNET,
    SCRATCH,
    SUPERNET,
    TRUNK,
    Kept,
)
from ns_tf.plan.methods import METHODS, NotApplicable

NOTHING = Kept({}, (), None)
BUDGET = "params=2003"


def listed(*texts, budgets=(BUDGET,), seeds=(3,), known=NOTHING, task=None):
    settings = [toy_setting(text) for text in texts]
    return listing.make(settings, budgets, seeds, known, task or {}, {})


def kept_of(plan):
    """What the next run knows of this one."""
    every = {**plan.others, **plan.asked}
    return Kept(every, tuple(plan.asked), plan.task, plan.wanted)


# Cells.


def test_a_cell_is_a_method_a_budget_and_a_seed_all_of_one_seed_first():
    plan = listed(
        "uniform", "mine=neuralscale@1", budgets=[BUDGET, "ratio=0.5"], seeds=(7, 3)
    )
    assert [(c.seed, c.budget, c.method) for c in plan.asked.values()] == [
        (seed, budget, method)
        for seed in (7, 3)
        for budget in (BUDGET, "ratio=0.5")
        for method in ("uniform", "mine")
    ]
    assert all(cell.kind == SCRATCH for cell in plan.asked.values())
    assert list(plan.asked)[:2] == ["uniform_params2003_seed7", "mine_params2003_seed7"]


@given(st.text(min_size=1, max_size=30))
def test_a_folders_name_is_one_name_of_plain_characters(text):
    name = listing._folder_name(text, "ratio=0.25", "seed3")
    assert "/" not in name and not set(name) & set(" \t\n=@:*?\"'")
    assert name.endswith("_ratio0.25_seed3")


def test_fine_tuned_cells_start_from_a_trunk_of_their_seed():
    plan = listed("li_l1", "uniform", budgets=[BUDGET, "params=1009"], seeds=(3, 5))
    kinds = [cell.kind for cell in plan.asked.values()]
    assert kinds.count(TRUNK) == 2 and kinds.count(FINETUNE) == 4
    for cell in plan.asked.values():
        if cell.kind == FINETUNE:
            trunk = plan.asked[cell.trunk]
            assert (trunk.kind, trunk.seed) == (TRUNK, cell.seed)
            assert trunk.widths == DEFAULT
            assert cell.start == "magnitude+uniform+none+plain"
    order = list(plan.asked)
    assert order[0] == "trunk_seed3", "a trunk is worked on before what needs it"
    assert not any(c.kind == TRUNK for c in listed("uniform").asked.values())


def test_pruned_cells_wait_for_their_trunk_and_their_controls_for_them():
    texts = ("scratch", "mine=pruned:random", "scratch_b:mine", "uniform")
    plan = listed(*texts, budgets=["macs=0.5"], seeds=(3, 5))
    mine = plan.asked["mine_macs0.5_seed5"]
    assert (mine.kind, mine.widths, mine.start) == (FINETUNE, None, "random")
    assert mine.trunk == "trunk_seed5" and plan.asked[mine.trunk].kind == TRUNK
    for name, label in (("scratch", "scratch"), ("scratch_b", "scratch_b-mine")):
        cell = plan.asked[f"{label}_macs0.5_seed5"]
        assert (cell.kind, cell.widths, cell.start) == (SCRATCH, None, name)
        assert cell.trunk == "mine_macs0.5_seed5"
    assert [c.kind for c in plan.asked.values()].count(TRUNK) == 2
    again = listed(*texts, budgets=["macs=0.5"], seeds=(3, 5), known=kept_of(plan))
    assert again.asked == plan.asked
    with pytest.raises(InputError, match="another method .*, random; now .*, gamma"):
        listed("mine=pruned:gamma", budgets=["macs=0.5"], known=kept_of(plan))


def test_members_of_a_supernet_wait_for_the_one_of_their_seed():
    texts = ("supernet:slimmable", "mine=supernet", "uniform")
    plan = listed(*texts, budgets=["macs=0.5", "macs=0.3"], seeds=(3, 5))
    kinds = [cell.kind for cell in plan.asked.values()]
    assert kinds.count(SUPERNET) == 4 and kinds.count(MEMBER) == 8
    for cell in plan.asked.values():
        if cell.kind == MEMBER:
            net = plan.asked[cell.trunk]
            assert net.name == f"supernet_{cell.start}_seed{cell.seed}"
            assert (net.kind, net.start, net.shown) == (SUPERNET, cell.start, False)
            assert list(plan.asked).index(net.name) < list(plan.asked).index(cell.name)
    again = listed(*texts, budgets=["macs=0.5", "macs=0.3"], known=kept_of(plan))
    assert again.asked.items() <= plan.asked.items()
    assert not listing._kept(plan.asked, "macs=0.5").keys() - {"uniform"}
    with pytest.raises(InputError, match="a member .*, universal; now .*, slimmable"):
        listed("mine=supernet:slimmable", budgets=["macs=0.5"], known=kept_of(plan))


def test_a_row_of_morphnet_waits_for_widths_and_these_for_the_trunk():
    texts = ("morphnet_gamma:2", "pruned:random")
    plan = listed(*texts, budgets=["macs=0.5", "macs=0.3"], seeds=(3, 5))
    kinds = [cell.kind for cell in plan.asked.values()]
    assert (kinds.count(TRUNK), kinds.count(MORPHNET)) == (2, 4)
    names = list(plan.asked)
    for cell in plan.asked.values():
        if cell.trunk:
            assert names.index(cell.trunk) < names.index(cell.name)
        if cell.kind == MORPHNET:
            assert (cell.start, cell.widths, cell.shown) == ("2", None, False)
            assert cell.trunk == f"trunk_seed{cell.seed}"
        if cell.method == texts[0]:
            finder = plan.asked[cell.trunk]
            assert (cell.kind, cell.start) == (SCRATCH, "scratch")
            assert (finder.budget, finder.seed) == (cell.budget, cell.seed)


@pytest.mark.parametrize(
    "before, now",
    [
        ("morphnet_gamma:1", "morphnet_gamma:2"),
        ("scratch:pruned:random", "scratch:pruned:gamma"),
        ("scratch:pruned:random", "morphnet_gamma"),
    ],
)
def test_a_label_keeps_the_row_whose_widths_it_has(before, now):
    others, budgets = ("pruned:random", "pruned:gamma"), ["macs=0.5"]
    plan = listed(f"mine={before}", *others, budgets=budgets)
    again = {"budgets": budgets, "known": kept_of(plan), "seeds": (3, 5)}
    assert listed(f"mine={before}", *others, **again).asked
    told = "mine at macs=0.5 had the widths of .*, and has those of .* now"
    with pytest.raises(InputError, match=told):
        listed(f"mine={now}", *others, **again)


def test_a_label_keeps_its_epitomes():
    one = listed("a=epitome:learned")
    (cell,) = one.asked.values()
    assert (cell.kind, cell.widths, cell.trunk) == (SCRATCH, DEFAULT, None)
    assert listed("a=epitome:learned", known=kept_of(one)).asked == one.asked
    with pytest.raises(InputError, match="a at params=2003 had other epitomes"):
        listed("a=epitome:fixed", known=kept_of(one))


def test_what_a_method_cannot_do_is_a_gap_with_its_reason():
    larger = f"params={2 * params(DEFAULT)}"
    plan = listed("uniform", "li_l1", budgets=[larger])
    assert [cell.method for cell in plan.asked.values()] == ["uniform"]
    ((method, budget, reason),) = plan.gaps
    assert (method, budget) == ("li_l1", larger) and "smaller" in reason


def test_two_methods_need_two_labels_and_two_folders():
    with pytest.raises(InputError, match="Two methods are called 'x'"):
        listed("x=uniform", "x=neuralscale")
    with pytest.raises(InputError, match="'a b' and 'a-b' would be kept in one folder"):
        listed("a b=uniform", "a-b=neuralscale")


# Earlier runs.


def test_cells_that_are_not_asked_for_now_are_kept():
    first = listed("uniform", "neuralscale")
    second = listed("uniform", seeds=(3, 5), known=kept_of(first))
    assert list(second.others) == ["neuralscale_it2_params2003_seed3"]
    assert len(second.asked) == 2
    third = listed("neuralscale", known=kept_of(second))
    assert len(third.others) == 2 and len(third.asked) == 1


def test_a_label_keeps_its_widths_and_its_kind(tmp_path):
    one, two = ({"widths": widths} for widths in ([3, 5, 7], [7, 5, 3]))
    path = file_of(tmp_path, **one)
    before = kept_of(listed(f"mine=file:{path}"))
    assert listed(f"mine=file:{path}", known=before).asked
    file_of(tmp_path, **two)
    with pytest.raises(InputError, match="mine at params=2003 had the widths .* now"):
        listed(f"mine=file:{path}", known=before)
    with pytest.raises(
        InputError, match="another method .*scratch; now pruned and .*magnitude"
    ):
        listed("a=li_l1", known=kept_of(listed("a=uniform")))


def test_widths_that_were_measured_before_are_not_measured_again(monkeypatch):
    """No two measurements agree, so a second one would give the cell other widths."""
    before = listed("uniform")
    (cell,) = before.asked.values()
    text = "latency_ms=3"
    cell = dataclasses.replace(cell, name="x", budget=text, widths=(2, 3, 5))
    known = Kept({"x": cell}, (), None)

    def propose(setting, targets):
        raise NotApplicable("it would be measured")

    monkeypatch.setattr(
        METHODS,
        "_members",
        {
            **METHODS._members,
            "uniform": dataclasses.replace(METHODS.get("uniform"), propose=propose),
        },
    )
    assert budgets.get("latency_ms").measured
    (again,) = listed("uniform", budgets=[text], known=known).asked.values()
    assert again.widths == (2, 3, 5)
    assert listed("uniform", budgets=[BUDGET]).gaps, "an exact budget is solved again"


def test_data_and_network_stay_those_that_it_began_with():
    task = {"dataset": "digits", "split_seed": 0}
    known = kept_of(listed("uniform", task=task))
    assert listed("uniform", known=known, task={**task, "new": 1}).asked
    with pytest.raises(InputError, match="begun with --split_seed=0; .* it is 5"):
        listed("uniform", known=known, task={**task, "split_seed": 5})
