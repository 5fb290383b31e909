"""One page, report.html, of what a run folder holds; no network is needed to read it.

python -m ns_tf.report --run_dir=runs/vgg11
python -m ns_tf.report --run_dir=runs/vgg11 --comparison=runs/compare_vgg11
python -m ns_tf.report --run_dir=runs/vgg11 --device=device.json

The page has the laws with their points, the widths by iteration, a table of budgets, a
comparison if there is one, and a slider that shows the widths for any budget, among
them the milliseconds of a device file.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

import dataclasses
from pathlib import Path

from ns_tf import cli
from ns_tf.report import page
from ns_tf.run.config import RunConfig
from ns_tf.run.folder import REPORT
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """Where the page goes, and what it shows beside the search."""

    comparison: str | None = option(
        None, "The run folder of a comparison, if it is not in --run_dir."
    )
    device: str | None = option(
        None,
        "A device file (ns_tf.measure): the page plans for its milliseconds, too.",
    )
    out: str | None = option(
        None, "Where the page goes; report.html in the run folder if empty."
    )


def main(run: RunConfig, report: ReportConfig) -> None:
    """Writes the page, and prints its path.

    Args:
        run: The folder of a search or of a comparison.
        report: Another comparison, a device file, another place for the page.

    Raises:
        InputError: no folder of either kind, a damaged one, a device file of another
            network, or a place that cannot be written.
    """
    path = Path(report.out or Path(run.run_dir) / REPORT)
    page.write(run.run_dir, report.comparison, path, report.device)
    print(path)


if __name__ == "__main__":
    cli.run(main, RunConfig, ReportConfig)
