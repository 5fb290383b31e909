"""The searches that methods of a comparison read: run folders, or flagfiles.

A source that ends in `.flags` is a flagfile: the search is done by it first, and kept
below the comparison's folder. Any other source is the run folder of a finished search.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ns_tf.base import Architecture, InputError
from ns_tf.data.config import DataConfig
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.record import SearchRecord, read_search
from ns_tf.descend.work import SEARCH_CONFIGS, SearchRun
from ns_tf.engine.config import ExecutionConfig, RuntimeConfig
from ns_tf.networks import python_models
from ns_tf.networks.structure import Structure
from ns_tf.plan import methods
from ns_tf.plan.methods import Entry
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.resolve import resolve, settings_in
from ns_tf.run import flags
from ns_tf.run.folder import DESCENT, MODEL, SEARCHES

# Settings of execution that searches by flagfile take from the command.
_WAYS = ("threads", "checkpoint_seconds", "workers_at", "worker", "workers_seconds")


class Sources:
    """The searches that the methods of a comparison read.

    Attributes: `all` holds every source once, `--search` first; `used` those that a
    method reads.

    Args:
        folder: The comparison's; searches by flagfile are kept there.
        default: `--search`: the search of methods that name none.
        entries: The methods.
        execution: Threads, checkpoints and workers of searches by flagfile.
        data_dir: Data folder of searches whose flagfile names none.

    Raises:
        InputError: a run folder that is not there, or two flagfiles of one name.
    """

    def __init__(
        self,
        folder: Path,
        default: str | None,
        entries: Sequence[Entry],
        execution: ExecutionConfig,
        data_dir: str | None,
    ):
        self.folder, self.default = folder, default
        self.execution, self.data_dir = execution, data_dir
        read = [self.of(entry) for entry in entries]
        self.all = list(dict.fromkeys(filter(None, [default, *read])))
        self.used = list(dict.fromkeys(filter(None, read)))
        places: dict[Path, str] = {}
        for source in self.all:
            if not is_flagfile(source) and not Path(source).is_dir():
                raise InputError(
                    f"There is no search at {source}. Give the run folder of one, or a "
                    "flagfile (NAME.flags) to search by."
                )
            other = places.setdefault(self.folder_of(source), source)
            if Path(other) != Path(source):  # "runs/a/" is "runs/a".
                raise InputError(
                    f"{other} and {source} would be kept in one folder, "
                    f"{self.folder_of(source)}; rename one of the flagfiles."
                )

    def of(self, entry: Entry) -> str | None:
        """The source of a method's search; None if the method needs none.

        Raises:
            InputError: the method needs a search, and neither the entry nor `--search`
                names one.
        """
        if not methods.get(entry.name).needs_search:
            return None
        source = entry.source or self.default
        if source is None:
            raise methods.no_search(entry.name)
        return source

    def folder_of(self, source: str) -> Path:
        """The run folder of a source's search."""
        if is_flagfile(source):
            return self.folder / SEARCHES / Path(source).stem
        return Path(source)

    def pending(self) -> dict[str, SearchRun]:
        """The searches by flagfile that are not finished, by source.

        Raises:
            InputError: the folder of one holds a search of other flags, or its network
                or data cannot be had.
        """
        searches = {}
        for source in filter(is_flagfile, self.used):
            run = SearchRun(settings(source, self.execution, self.data_dir))
            if not self._finished(source, run):
                searches[source] = run
        return searches

    def read(self, source: str, compared: Structure) -> SearchRecord:
        """The record of a finished search.

        Args:
            source: Of the search.
            compared: The network that is compared; its layers have to be the search's.

        Raises:
            InputError: there is none, it has no iteration, or it is of another network.
        """
        search = read_search(self.folder_of(source))
        check_layers(source, search.names, compared)
        search.state()  # Refuses one without an iteration.
        return search

    def complete(self, asked: ProblemConfig) -> ProblemConfig:
        """Network and data; settings that are not set come from the default search.

        Args:
            asked: The settings of the flags.

        Raises:
            InputError: neither the flags nor the search name architecture or data set.
        """
        place = self.default or self.folder
        if self.default is None:
            searched = None
        elif is_flagfile(self.default):
            searched = problem_config(
                settings(self.default, self.execution, self.data_dir)
            )
        else:
            searched = settings_in(self.default)
        return resolve(
            asked, searched, place=place, instead="methods that need none, or --search"
        )

    def architecture(self, name: str) -> Architecture | None:
        """The architecture of a model from Python, read from the folder that keeps it.

        Args:
            name: Of the architecture; None comes back for one that is registered.
        """
        places = [self.folder, *(self.folder_of(source) for source in self.all)]
        keeping = [place for place in places if (place / MODEL).exists()]
        return python_models.saved(name, (keeping or places)[0])

    def _finished(self, source: str, run: SearchRun) -> bool:
        """Whether the folder of a search by flagfile holds all its iterations."""
        path = self.folder_of(source)
        if not (path / DESCENT).exists():
            return False
        run.check_folder(path)
        return len(read_search(path).states) >= run.config.iterations


def settings(
    flagfile: str, execution: ExecutionConfig, data_dir: str | None
) -> dict[type, Any]:
    """The settings of a search by flagfile, by class.

    Args:
        flagfile: Its path.
        execution: Whose threads, checkpoints and workers it uses.
        data_dir: Where it finds its data, if the flagfile names no folder.

    Raises:
        InputError: the flagfile is missing, or has a flag that a search does not.
    """
    chosen = flags.read_file(flagfile, *SEARCH_CONFIGS)
    data, runtime = chosen[DataConfig], chosen[RuntimeConfig]
    chosen[DataConfig] = dataclasses.replace(data, data_dir=data.data_dir or data_dir)
    ways = {name: getattr(execution, name) for name in _WAYS}
    chosen[RuntimeConfig] = dataclasses.replace(runtime, **ways)
    return chosen


def problem_config(chosen: Mapping[type, Any]) -> ProblemConfig:
    """Network and data of a search.

    Args:
        chosen: Its settings by class.
    """
    data = dataclasses.asdict(chosen[DataConfig])
    return ProblemConfig(architecture=chosen[SearchConfig].architecture, **data)


def check_layers(source: str, names: Sequence[str], compared: Structure) -> None:
    """Refuses a search of another network than the one that is compared.

    Args:
        source: Of the search, for the error.
        names: Its layers.
        compared: The network that is compared.

    Raises:
        InputError: the layers have other names, or are others.
    """
    if tuple(names) != compared.names:
        raise InputError(
            f"The search {source} is of another network than the one that is compared, "
            f"{compared.architecture.name}: its layers are {', '.join(names[:3])}, ... "
            "Name a search of this network, or give --architecture."
        )


def is_flagfile(source: str) -> bool:
    """Whether a source is a flagfile to search by, not a run folder.

    >>> is_flagfile("flags/demo.flags"), is_flagfile("runs/demo")
    (True, False)
    """
    return source.endswith(".flags")
