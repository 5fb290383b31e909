"""The three lines that most people need: `search`, `Search.plan`, `Plan.build`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ns_tf import architectures as networks
from ns_tf import configs, datasets, engine, flagset, pipeline, plots, records
from ns_tf.base import Architecture, DescentState, InputError
from ns_tf.budgets import BUDGETS, Measure, exact_costs
from ns_tf.descent import architecture_descent
from ns_tf.plans import Plan, make_plan
from ns_tf.progress import Quiet
from ns_tf.registry import unknown
from ns_tf.runs import Checkpoint, SearchRecord, read_search, write_search
from ns_tf.scaling import floor_ratio
from ns_tf.structure import Structure, analyse

SEARCH_CONFIGS = (
    configs.SearchConfig,
    configs.DataConfig,
    configs.PruneConfig,
    configs.RuntimeConfig,
)


@dataclasses.dataclass(frozen=True)
class Search:
    """A search: its laws, and a plan for any budget."""

    record: SearchRecord
    run_dir: Path | None = None
    architecture: Architecture | None = dataclasses.field(default=None, repr=False)

    @property
    def states(self) -> tuple[DescentState, ...]:
        """The iterations, each with its widths, trace and law."""
        return self.record.states

    def plan(
        self,
        *,
        method: str = "neuralscale",
        iteration: int | None = None,
        ratio: float | None = None,
        round_to: int = 1,
        min_width: int = 1,
        max_width: int | None = None,
        measure: Measure | None = None,
        **targets: float,
    ) -> Plan:
        """The widths for a budget: `plan(params=600_000)`, `plan(macs=5e7)`.

        Args:
            method: "neuralscale", or "uniform" or "morphnet" to compare with.
            iteration: Of the search; the last if None.
            ratio: A budget: the parameters of the default network with every width
                times this.
            round_to: Widths are multiples of this.
            min_width: Filters that every layer has at least.
            max_width: Filters that a layer has at most.
            measure: How `latency_ms` is measured.
            **targets: Budgets by name; with several, all hold.

        Raises:
            InputError: unknown or impossible budget.
        """
        for name in targets:
            if name not in BUDGETS.names():
                raise unknown("budget", name, [*BUDGETS.names(), "ratio"])
        return make_plan(
            self.record,
            targets,
            method=method,
            iteration=iteration,
            ratio=ratio,
            round_to=round_to,
            min_width=min_width,
            max_width=max_width,
            measure=measure,
            builder=self.architecture,
        )


def load(run_dir: str | Path) -> Search:
    """The search that a run folder holds.

    Raises:
        InputError: no run folder, or a damaged one.
    """
    return Search(read_search(run_dir), Path(run_dir))


def search(
    model: Any = "vgg11",
    data: Any = "digits",
    *,
    run_dir: str | Path | None = None,
    progress: type = Quiet,
    stop: Any = None,
    **options: Any,
) -> Search:
    """Searches how every layer's width grows with the network (algorithm 4).

    Args:
        model: An architecture's name, an `Architecture`, or any functional or
            sequential `keras.Model`.
        data: A data set's name, a `Dataset` (`datasets.from_arrays`), a finite
            `tf.data.Dataset` of (image, label), or a pair of arrays (images, labels).
        run_dir: Where it is kept; the same call continues it after a kill. None keeps
            nothing.
        progress: `ns_tf.Progress` shows how far it has come.
        stop: Asked at every step whether to stop (`ns_tf.cli.Stop`).
        **options: Fields of `ns_tf.configs`: `ratio=0.25, iterations=2,
            pretrain_epochs=5, seed=1, data_dir=...`; the defaults are the paper's.

    Raises:
        InputError: what was asked for cannot be done, in one line.
        RunError: the loss is not finite.
    """
    chosen = _configure(model, data, options)
    run = SearchRun(chosen, architecture=_architecture(model), dataset=_dataset(data))
    return run.go(run_dir, progress=progress, stop=stop)


class SearchRun:
    """A search that is to be done: checks everything first, then does it."""

    def __init__(
        self,
        chosen: dict[type, Any],
        *,
        architecture: Architecture | None = None,
        dataset: pipeline.Dataset | None = None,
    ):
        self.configs = chosen
        self.config = chosen[configs.SearchConfig]
        self.runtime = chosen[configs.RuntimeConfig]
        self.architecture = architecture or networks.get(self.config.architecture)
        engine.set_threads(self.runtime.threads)
        self.dataset = dataset or load_dataset(chosen[configs.DataConfig])
        self.structure: Structure = analyse(
            self.architecture, self.dataset.image_shape, self.dataset.classes
        )
        default = self.architecture.widths
        self.widths = self.config.widths or floor_ratio(default, self.config.ratio)
        # Refuses widths that do not fit, before anything is written.
        self.structure.build(self.widths)
        batch = chosen[configs.PruneConfig].search_batch
        pipeline.steps_per_epoch(self.dataset, batch)

    def go(self, run_dir=None, *, progress: type = Quiet, stop: Any = None) -> Search:
        """Does the search, or goes on with it; keeps it in `run_dir`, if given."""
        if run_dir is None:
            return Search(self._descend(progress, ()), None, self.architecture)
        text = flagset.as_flagfile(self.configs.values())
        ignore = flagset.changeable(*self.configs)
        with records.open_run(run_dir, text, ignore=ignore) as folder:
            done = ()
            if (folder / "descent.json").exists():
                done = read_search(folder.path).states
            record = self._descend(progress, done, folder.path, stop)
        return Search(record, Path(run_dir), self.architecture)

    def _descend(self, progress, done, folder: Path | None = None, stop=None):
        record = dataclasses.replace(self._record(), states=tuple(done))
        checkpoint = self._checkpoints(folder, stop) if folder else None
        for state in architecture_descent(
            self.structure,
            self.widths,
            self.dataset,
            self.configs[configs.PruneConfig],
            iterations=self.config.iterations,
            tolerance=self.config.tolerance,
            seed=self.runtime.seed,
            strategy=engine.strategy(self.runtime.strategy),
            progress=progress,
            checkpoint=checkpoint,
            done=done,
        ):
            record = dataclasses.replace(record, states=(*record.states, state))
            if folder:
                draw(folder, record)
                write_search(folder, record)
                checkpoint(state.iteration).remove()
        return record

    def _checkpoints(self, folder: Path, stop) -> Callable[[int], Checkpoint]:
        def checkpoint(iteration: int) -> Checkpoint:
            path = folder / "checkpoints" / f"prune_{iteration:02d}.npz"
            return Checkpoint(path, seconds=self.runtime.checkpoint_seconds, stop=stop)

        return checkpoint

    def _record(self) -> SearchRecord:
        return SearchRecord(
            architecture=self.architecture.name,
            dataset=self.dataset.name,
            input_shape=self.dataset.image_shape,
            classes=self.dataset.classes,
            names=self.structure.names,
            default_widths=self.architecture.widths,
            seed_widths=tuple(self.widths),
            costs=exact_costs(self.structure),
            states=(),
        )


def draw(folder: Path, record: SearchRecord) -> None:
    """Draws the last state's growth and the widths of all iterations."""
    (folder / "plots").mkdir(exist_ok=True)
    state = record.states[-1]
    name = f"growth_{state.iteration:02d}.png"
    with records.replacing(folder / "plots" / name) as file:
        plots.growth(state.trace, state.law, record.names, file)
    widths = [s.widths for s in record.states] + [state.scaling.widths]
    with records.replacing(folder / "plots" / "widths.png") as file:
        plots.descent(widths, record.names, file)


def load_dataset(config: configs.DataConfig) -> pipeline.Dataset:
    """The data set that the settings name."""
    return datasets.load(
        config.dataset,
        data_dir=config.data_dir,
        image_size=config.image_size,
        validation_fraction=config.validation_fraction,
        seed=config.split_seed,
    )


def _configure(model, data, options: dict[str, Any]) -> dict[type, Any]:
    """The config objects, with these fields set.

    Raises:
        InputError: a field that does not exist.
    """
    known = {f.name: c for c in SEARCH_CONFIGS for f in dataclasses.fields(c)}
    named = {"architecture": _name(model), "dataset": _name(data), **options}
    for name in named:
        if name not in known:
            raise unknown("option", name, known)
    return {
        c: c(**{n: v for n, v in named.items() if known[n] is c})
        for c in SEARCH_CONFIGS
    }


def _name(value: Any) -> str:
    return value if isinstance(value, str) else f"python:{getattr(value, 'name', '')}"


def _architecture(model: Any) -> Architecture | None:
    if model is None or isinstance(model, str | Architecture):
        return None if isinstance(model, str) else model
    from ns_tf.architectures.from_model import from_model

    return from_model(model)


def _dataset(data: Any) -> pipeline.Dataset | None:
    if isinstance(data, str):
        return None
    if isinstance(data, pipeline.Dataset):
        return data
    if isinstance(data, tuple):
        return datasets.from_arrays(data)
    if hasattr(data, "element_spec"):
        return datasets.from_tf_data(data)
    raise InputError(
        "Expected a data set's name, a Dataset, a tf.data.Dataset or a pair of arrays "
        f"(images, labels); got {type(data).__name__}."
    )
