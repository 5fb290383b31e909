"""report.html: what a run folder holds, on one page that needs nothing else."""

import html
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ns_tf.base import InputError
from ns_tf.descend.record import SearchRecord, read_search
from ns_tf.parts import shape_text
from ns_tf.plan.targets import device_for
from ns_tf.report.sections import comparison_section, search_sections
from ns_tf.report.what_if import ASSETS, controls, curves_of, script
from ns_tf.run import files
from ns_tf.run.folder import COMPARISON, DESCENT
from ns_tf.run.paths import HTML, check_kind, check_output

if TYPE_CHECKING:
    from ns_tf.devices.device import Device

_REMEDY = "Run ns_tf.compare there again: it writes it anew; or give another folder."


def write(
    run_dir: str | Path,
    comparison_dir: str | Path | None,
    path: str | Path,
    device: "Device | str | Path | None" = None,
) -> None:
    """Writes the report of a search, of a comparison, or of both.

    Args:
        run_dir: The run folder of a search or of a comparison.
        comparison_dir: The run folder of a comparison, if it is another one.
        path: Of the page.
        device: A device file, by whose tables the page tells milliseconds and plans for
            them.

    Raises:
        InputError: no folder of either kind, a damaged one, a device file of another
            network, or the page cannot be written, as over another kind of file.
    """
    if Path(run_dir).is_dir():
        check_output(path, "out")
        check_kind(path, "out", HTML)
    text = page(run_dir, comparison_dir, device)
    try:
        files.write_text(path, text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}. Give another --out."
        ) from error


def page(
    run_dir: str | Path,
    comparison_dir: str | Path | None = None,
    device: "Device | str | Path | None" = None,
) -> str:
    """The text of the report: one HTML page with its styles, pictures and data.

    Args:
        run_dir: The run folder of a search or of a comparison.
        comparison_dir: The run folder of a comparison, if it is another one.
        device: A device file, by whose tables the page tells milliseconds and plans for
            them.

    Raises:
        InputError: no folder of either kind, a damaged one, or a device file that is of
            no search here.
    """
    folder = Path(run_dir)
    compared = Path(comparison_dir) if comparison_dir else folder
    searches = _searches_of(folder)
    comparison = _comparison_of(compared, needed=comparison_dir is not None)
    if not searches and comparison is None:
        raise InputError(
            f"{folder} holds neither a search ({DESCENT}) nor a comparison "
            f"({COMPARISON}). Give the run folder of one: --run_dir=runs/NAME."
        )
    if device is not None and not searches:
        raise InputError(
            f"--device is of the network of a search, and {folder} holds a comparison "
            "alone. Give --run_dir of the search, and --comparison."
        )
    title, sections, code = "", [], ""
    if searches:
        first = next(iter(searches.values()))
        title = f"{first.architecture} on {first.dataset}"
        offered = _of_one_network(searches)
        curves = curves_of(offered)
        others = [name for name in searches if name not in offered]
        measured = None if device is None else device_for(first, device)
        sections.append(controls(first, curves, others, measured))
        for name, search in searches.items():
            own = measured if name in offered else None
            sections += search_sections(name, search, own)
        code = script(first, curves, measured)
    if comparison is not None:
        with files.readable(compared / COMPARISON, "comparison", _REMEDY):
            title = title or str(comparison["title"])
            sections.append(comparison_section(comparison))
    return string.Template((ASSETS / "report.html").read_text()).substitute(
        title=html.escape(title),
        style=(ASSETS / "report.css").read_text(),
        about=html.escape(" ".join(map(_about, searches.values()))),
        sections="\n".join(sections),
        script=code,
    )


def _searches_of(folder: Path) -> dict[str, SearchRecord]:
    """The search in a folder, or those that a comparison did below it, by name.

    The name of a single search is empty.

    Raises:
        InputError: a search is damaged, or has no iteration.
    """
    below = sorted(folder.glob(f"searches/*/{DESCENT}"))
    searches = {}
    for path in [folder / DESCENT] if (folder / DESCENT).exists() else below:
        search = read_search(path.parent)
        search.state()  # Refuses one without an iteration.
        searches[path.parent.name if len(below) > 1 else ""] = search
    return searches


def _of_one_network(searches: dict[str, SearchRecord]) -> dict[str, SearchRecord]:
    """The searches whose costs are those of the first, by name.

    Names of layers are not enough: at other images or classes they cost otherwise.
    """

    def costs(search: SearchRecord) -> dict[str, Any]:
        return {name: cost.to_json() for name, cost in search.costs.items()}

    first = costs(next(iter(searches.values())))
    return {name: search for name, search in searches.items() if costs(search) == first}


def _comparison_of(folder: Path, *, needed: bool) -> dict[str, Any] | None:
    """What comparison.json holds; None for a folder without it, unless it is needed.

    Raises:
        InputError: the file is damaged, or needed and missing.
    """
    if not needed and not (folder / COMPARISON).exists():
        return None
    return files.read_json(
        folder / COMPARISON, what="comparison", version=1, remedy=_REMEDY
    )


def _about(search: SearchRecord) -> str:
    """A sentence on a search: iterations, minutes, inputs, outputs, seed network."""
    count = len(search.states)
    iterations = f"{count} iteration{'s' if count > 1 else ''}"
    minutes = sum(state.seconds for state in search.states) / 60
    size = shape_text(search.input_shape)
    return (
        f"{iterations} of architecture descent in "
        f"{minutes:.1f} minutes; inputs {size}, {search.classes} outputs; seed "
        f"network {','.join(map(str, search.seed_widths))}."
    )
