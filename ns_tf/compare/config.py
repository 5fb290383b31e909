"""Settings of a comparison: methods, budgets, seeds, and who works on them."""

import dataclasses

from ns_tf.base import InputError
from ns_tf.engine.config import LARGEST_COUNT, LARGEST_SEED
from ns_tf.run.checks import above_zero, at_least
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """What is compared.

    `search`, `methods`, `budgets`, `seeds`, `measure_flash` and `workers` may change
    when a comparison continues; the fine-tuning is part of the recipe and may not.

    >>> CompareConfig().methods
    ('uniform', 'morphnet', 'neuralscale')
    >>> CompareConfig(seeds=(3, 3))
    Traceback (most recent call last):
    ...
    ns_tf.base.InputError: --seeds are one or more, all different; got 3,3.

    Raises:
        InputError: an empty list, an entry twice, or a number out of its range.
    """

    search: str | None = option(
        None,
        "The search whose laws and prunings the methods use: its run folder, or a "
        "flagfile to search by first.",
        identity=False,
    )
    methods: tuple[str, ...] = option(
        ("uniform", "morphnet", "neuralscale"),
        "uniform, divisible, random, morphnet, conv_cut, neuralscale, priced, file, "
        "priced_file, as [LABEL=]NAME[@ITERATION][:SOURCE]; the source is another "
        "search, or a JSON file of widths or of a law. Pruned from a trained network: "
        "[LABEL=]pruned:METHOD, and after it in any order +ALLOCATION, +REPAIR, "
        "+RECIPE (pruned:taylor_fo+uniform+distil); li_l1. METHOD@block drops whole "
        "blocks, METHOD@weight sets single weights to zero (pruned:sss@block, "
        "pruned:gradual@weight+ranking). The widths of a pruned row from fresh "
        "weights: scratch[:LABEL], scratch_b[:LABEL]. Kernels from "
        "epitomes: epitome:learned, epitome:fixed, epitome:wrapped. Members of one "
        "network that is trained at all widths: supernet[:universal], "
        "supernet:slimmable. Widths by MorphNet's penalty: morphnet_gamma[:ROUNDS].",
        identity=False,
    )
    budgets: tuple[str, ...] = option(
        ("ratio=0.25",),
        "What networks may cost: ratio=0.25, params=600000, macs=5e7, latency_ms=3; "
        "several at once as params=600000+macs=5e7. Of rows METHOD@weight it is "
        "nonzero=0.1, the weights that are not zero. Below 1 it is a share of what the "
        "default widths cost: macs=0.5. The number 1 is none: nonzero=1 is one weight.",
        identity=False,
    )
    seeds: tuple[int, ...] = option(
        (0, 1, 2), "A training for each.", identity=False, most=LARGEST_SEED
    )
    finetune_epochs: int = option(
        40, "Epochs of pruned networks after the cut; 0 trains nothing."
    )
    finetune_rate: float = option(0.001, "Their learning rate at the start.")
    finetune_schedule: str = option(
        "constant",
        "constant leaves it, cosine lets it fall to 0.",
        choices=("cosine", "constant"),
    )
    measure_flash: bool = option(
        False,
        "Export every network in int8 at the end, and give the bytes of its file; so "
        "it is where a budget is flash.",
        identity=False,
    )
    workers: int = option(
        1,
        "Processes on this machine that train at the same time.",
        identity=False,
        most=LARGEST_COUNT,
    )

    def __post_init__(self):
        at_least(self, 0, "finetune_epochs")
        at_least(self, 1, "workers")
        above_zero(self, "finetune_rate")
        for name in ("methods", "budgets", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                text = ",".join(map(str, values)) or "none"
                raise InputError(
                    f"--{name} are one or more, all different; got {text}."
                )
        if not all(0 <= seed <= LARGEST_SEED for seed in self.seeds):
            raise InputError(
                f"--seeds lie between 0 and {LARGEST_SEED}; got {self.seeds}."
            )

    @property
    def exports_flash(self) -> bool:
        """Whether tables have the bytes of int8 files, which takes exporting.

        >>> CompareConfig(budgets=("flash=60000+macs=5e7",)).exports_flash
        True
        """
        return self.measure_flash or "flash" in self.budget_names

    @property
    def budget_names(self) -> set[str]:
        """Names of all budgets.

        >>> config = CompareConfig(budgets=("nonzero=0.1", "macs=0.5+params=9e5"))
        >>> sorted(config.budget_names)
        ['macs', 'nonzero', 'params']
        """
        return {
            part.partition("=")[0].strip()
            for text in self.budgets
            for part in text.split("+")
        }
