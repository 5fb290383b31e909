"""Widths by the flags of `ns_tf.train`: a list, or a method's at a budget."""

import dataclasses
import hashlib
from pathlib import Path

from ns_tf import budgets
from ns_tf.base import InputError, Widths, check_widths
from ns_tf.descend.record import SearchRecord, new_search, search_in
from ns_tf.networks.structure import Structure
from ns_tf.plan import methods
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.plan.plan import make_plan, options
from ns_tf.problem.config import NetworkConfig
from ns_tf.problem.problem import Problem
from ns_tf.train.results import kept_widths

_LONGEST_NAME = 100  # Characters; file systems end at 255 bytes.


@dataclasses.dataclass(frozen=True)
class WidthChoice:
    """Decides on a network's widths by the flags: `--widths`, or method and budget.

    `ns_tf.train.work.TrainRun` asks it, and knows nothing of methods and budgets.
    """

    network: NetworkConfig
    budget: BudgetConfig
    asked: MethodConfig

    @property
    def method(self) -> MethodConfig:
        """The method that is asked for, or that the budget means."""
        return self.asked.of(self.budget)

    @property
    def decided(self) -> MethodConfig:
        """The method that is asked for, or that the budget alone means.

        None where the search has a word in it: widths at a price, or uniform ones where
        its price law is silent (`ns_tf.plan.plan.make_plan`).
        """
        silence = self.asked.method is None and self.asked.price_exponent is None
        return self.asked if silence and self.method.method == "priced" else self.method

    @property
    def flags(self) -> tuple[BudgetConfig, MethodConfig]:
        """The settings that the choice adds to the flags of a training's folder."""
        return self.budget, self.decided

    def widths(self, problem: Problem, run_dir: str | Path, folder: Path) -> Widths:
        """The widths of the network.

        Args:
            problem: Its architecture and data.
            run_dir: Where the search is, if there is one.
            folder: Of the training. Widths for a measured budget are taken from there
                if it has any, because no two measurements agree.

        Returns:
            Filters of every layer [layers].

        Raises:
            InputError: `--widths` and a budget are both set, the method needs a search
                of this architecture and there is none, no network meets the budget, or
                the network has no width.
        """
        architecture = problem.architecture
        budget = bool(self.budget.targets or self.budget.ratio)
        if not architecture.widths:
            if self.network.widths or budget:
                raise InputError(
                    f"{architecture.name} has no width that is free, so it is trained "
                    "as it is: leave --widths and budgets out."
                )
            return ()
        if self.network.widths:
            if budget:
                raise InputError("Give --widths or a budget, not both.")
            return check_widths(architecture, self.network.widths)
        search = search_in(run_dir)
        if search is None or search.architecture != architecture.name:
            if methods.get(self.method.method).needs_search:
                raise InputError(
                    f"--method={self.method.method} needs a search of "
                    f"{architecture.name} in --run_dir. Search first "
                    "(ns_tf.descend), give --widths, or --method=uniform with a budget."
                )
            search = new_search(problem.structure, "", architecture.widths)
        if any(budgets.get(name).measured for name in self.budget.targets):
            before = kept_widths(folder)
            if before is not None:
                return check_widths(architecture, before)
        return make_plan(
            _with_costs_of(search, problem.structure),
            self.budget.targets,
            builder=architecture,
            **options(self.budget, self.decided),
        ).widths

    def name(self, seed: int) -> str:
        """The name of a training's folder: method, iteration, budgets and seed.

        A name of more than 100 characters, of many widths, becomes a digest of itself.
        Without widths and budgets it is that of a network without widths. There is no
        method in it where the search decides between two.

        >>> budget = BudgetConfig(ratio=0.25)
        >>> WidthChoice(NetworkConfig(), budget, MethodConfig()).name(seed=3)
        'neuralscale_ratio0.25_seed3'
        >>> budget = BudgetConfig(macs=5e7)
        >>> WidthChoice(NetworkConfig(), budget, MethodConfig()).name(seed=3)
        'macs50000000_seed3'

        Args:
            seed: Of the training.
        """
        if self.network.widths:
            parts = ["widths", *(str(width) for width in self.network.widths)]
        elif not self.budget.targets and not self.budget.ratio:
            parts = ["fixed"]
        else:
            parts = [self.decided.method] if self.decided.method else []
            if self.method.iteration:
                parts.append(f"it{self.method.iteration}")
            targets = dict(self.budget.targets)
            if self.budget.ratio:
                targets["ratio"] = self.budget.ratio
            parts += [f"{name}{value:.10g}" for name, value in targets.items()]
        name = "_".join([*parts, f"seed{seed}"])
        if len(name) <= _LONGEST_NAME:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        return f"{parts[0]}_{digest}_seed{seed}"


def _with_costs_of(search: SearchRecord, trained: Structure) -> SearchRecord:
    """The record, with the costs of the network that is trained.

    They are others where it has other images or classes than the search had. Where it
    has other layers by that, its widths are refused by their number.
    """
    same = (search.input_shape, search.classes) == (
        trained.input_shape,
        trained.classes,
    )
    if same or search.names != trained.names:
        return search
    plain = new_search(trained, search.dataset, search.seed_widths)
    return dataclasses.replace(plain, states=search.states, wishes=search.wishes)
