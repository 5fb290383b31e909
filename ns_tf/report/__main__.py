"""One page, report.html, of what a run folder holds; no network is needed to read it.

python -m ns_tf.report --run_dir=runs/vgg11
python -m ns_tf.report --run_dir=runs/vgg11 --comparison=runs/compare_vgg11

What was searched, the laws with their points, the widths by iteration, a table of
budgets, a comparison if there is one; and the widths for any budget as it is moved.
"""

import dataclasses
from pathlib import Path

from ns_tf import cli
from ns_tf.report import page
from ns_tf.run.config import RunConfig
from ns_tf.run.folder import REPORT
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """The page."""

    comparison: str | None = option(
        None, "The run folder of a comparison, if it is not in --run_dir."
    )
    out: str | None = option(
        None, "Where the page goes; report.html in the run folder if empty."
    )


def main(run: RunConfig, report: ReportConfig) -> None:
    """Writes the page, and says where it is."""
    path = Path(report.out or Path(run.run_dir) / REPORT)
    page.write(run.run_dir, report.comparison, path)
    print(path)


if __name__ == "__main__":
    cli.run(main, RunConfig, ReportConfig)
