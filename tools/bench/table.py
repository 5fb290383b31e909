"""From the rows of a race to what a whole iteration takes."""

from typing import Any

import numpy as np

MINUTE = 60.0  # Between two checkpoints.


def summary(rows: list[dict[str, Any]], ways, nominal_steps: int) -> str:
    """The table of a race, and what it says of a thinned network's step."""
    taken = [iteration(rows, way, nominal_steps) for way in ways]
    masked = next(one for one in taken if one["way"] == "masked")
    lines = [
        "| way | steps, s | other, s | other, % | CPU, s | of masked | MiB grown "
        "(networks) | other by part, s |",
        "|" + "---|" * 8,
    ]
    for one in taken:
        parts = sorted(one["parts"].items(), key=lambda item: -item[1])
        cells = [
            one["way"],
            f"{one['steps']:,.0f}",
            f"{one['other']:.1f}",
            f"{100 * one['other'] / total(one):.1f}",
            f"{one['cpu']:,.0f}",
            f"{total(one) / total(masked):.2f}",
            f"{one['growth']:.0f} ({one['networks']})",
            ", ".join(f"{n} {s:.1f}" for n, s in parts if s >= 0.05),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    ratios = static_ratios(rows, ways[0])
    if len(ratios):
        low, median, high = np.percentile(ratios, [25, 50, 75])
        lines += [
            "",
            f"A step of {ways[0]} against the same network as a plain model: median "
            f"{median:.2f}, quartiles {low:.2f}-{high:.2f} of {len(ratios)}.",
        ]
    return "\n".join(lines)


def total(one: dict[str, Any]) -> float:
    """Seconds of the whole iteration."""
    return one["steps"] + one["other"]


def iteration(rows: list[dict[str, Any]], way: str, nominal_steps: int) -> dict:
    """What one iteration of pruning takes, projected from the events a way did.

    Steps between its events are interpolated; what an event costs is the mean; what the
    first network cost is counted once.
    """
    ours = [row for row in rows if row["way"] == way]
    mine = [row for row in ours if "step" in row]
    events = max(row["event"] for row in rows)
    # The steps before an event are of the network that the one before it left.
    at = [1] + [row["event"] + 1 for row in mine[:-1]]
    wall, cpu = (
        nominal_steps
        * np.interp(range(1, events + 1), at, [row["step"][i] for row in mine]).sum()
        for i in (0, 1)
    )
    parts = _parts(mine, events / len(mine))
    for name, seconds in _parts([r for r in ours if not r["event"]], 1.0).items():
        parts[name] = parts.get(name, 0) + seconds
    saved = [row["seconds"] for row in ours if "seconds" in row]
    if saved:
        parts["checkpoints"] = np.mean(saved, axis=0) * wall / MINUTE
    return {
        "way": way,
        "events": events,
        "steps": float(wall),
        "other": float(sum(s[0] for s in parts.values())),
        "cpu": float(cpu + sum(s[1] for s in parts.values())),
        "parts": {name: float(s[0]) for name, s in parts.items()},
        "growth": growth(mine),
        "networks": sum(row.get("rebuilt", way == "torch_pruned") for row in mine),
    }


def _parts(rows: list[dict[str, Any]], factor: float) -> dict[str, np.ndarray]:
    """{part: (wall, CPU) seconds} of all rows together, times the factor."""
    parts: dict[str, np.ndarray] = {}
    for row in rows:
        for name, seconds in row["parts"].items():
            if name != "steps":
                parts[name] = parts.get(name, 0) + factor * np.array(seconds)
    return parts


def growth(mine: list[dict[str, Any]]) -> float:
    """MiB that a way's memory grew once it was under way.

    From the tenth of the events after the first rebuild, which once needs room for two
    networks, or after the first tenth, to the last tenth; the median of each.
    """
    memory = [row["memory"] for row in mine]
    rebuilt = [row.get("rebuilt", False) for row in mine]
    tenth = -(-len(memory) // 10)
    first = rebuilt.index(True) + 1 if any(rebuilt) else tenth
    early = memory[first : first + tenth] or memory[-1:]
    return float(np.median(memory[-tenth:]) - np.median(early))


def static_ratios(rows: list[dict[str, Any]], way: str) -> np.ndarray:
    """Step of a way over the step of a plain model with the same channels."""
    mine = {row["event"]: row for row in rows if row["way"] == way and "step" in row}
    static = [row for row in rows if row["way"] == "static" and "step" in row]
    # The plain model has the channels that the event left, as have the steps after it.
    pairs = [(mine[row["event"] + 1], row) for row in static]
    return np.array([one["step"][0] / other["step"][0] for one, other in pairs])
