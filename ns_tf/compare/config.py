"""Settings of a comparison: methods, budgets, seeds, and who works on them."""

import dataclasses

from ns_tf.base import InputError
from ns_tf.engine.config import LARGEST_SEED
from ns_tf.run.checks import above_zero, at_least
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """What is compared.

    `search`, `methods`, `budgets`, `seeds` and `workers` may change when a comparison
    continues; the fine-tuning is part of the recipe and may not.

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
        "uniform, random, morphnet, li_l1, conv_cut, neuralscale, priced, file, each "
        "as [LABEL=]NAME[@ITERATION][:SOURCE]; the source is another search, or a "
        "JSON file of widths or of a law.",
        identity=False,
    )
    budgets: tuple[str, ...] = option(
        ("ratio=0.25",),
        "What networks may cost: ratio=0.25, params=600000, macs=5e7, latency_ms=3; "
        "several at once as params=600000+macs=5e7.",
        identity=False,
    )
    seeds: tuple[int, ...] = option((0, 1, 2), "A training for each.", identity=False)
    finetune_epochs: int = option(40, "Epochs of li_l1 after pruning.")
    finetune_rate: float = option(0.001, "Their learning rate.")
    workers: int = option(
        1, "Processes on this machine that train at the same time.", identity=False
    )

    def __post_init__(self):
        at_least(self, 1, "finetune_epochs", "workers")
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
