"""From the rows of a race to what a whole iteration takes."""

from typing import Any

import numpy as np

STEPS = 50  # Training steps between two removals at the paper's schedule.
MINUTE = 60.0  # Between two checkpoints.


def summary(rows: list[dict[str, Any]], network: str, batch: int, ways) -> str:
    """The table of a race, and what it says of a thinned network's step."""
    found = [iteration(rows, way) for way in ways]
    masked = next(one for one in found if one["way"] == "masked")
    head = [
        "way",
        "steps s",
        "other s",
        "other %",
        "CPU s",
        "ratio",
        "MiB/300",
        "parts",
    ]
    lines = [
        f"{network}, batch {batch}, {found[0]['events']} removals, projected to "
        f"{STEPS} steps between two:",
        "",
        " | ".join(head),
    ]
    for one in found:
        parts = sorted(one["parts"].items(), key=lambda item: -item[1])
        told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts)
        cells = [
            one["way"],
            f"{one['steps']:.0f}",
            f"{one['other']:.1f}",
            f"{100 * one['other'] / (one['steps'] + one['other']):.1f}",
            f"{one['cpu']:.0f}",
            f"{total(one) / total(masked):.2f}",
            f"{one['growth']:.0f}",
            told,
        ]
        lines.append(" | ".join(cells))
    ratios = static_ratios(rows, ways[0])
    if len(ratios):
        lines += [
            "",
            f"A step of {ways[0]} against the same network as a plain model: "
            f"median {np.median(ratios):.2f}, quartiles "
            f"{np.percentile(ratios, 25):.2f}-{np.percentile(ratios, 75):.2f} "
            f"(of {len(ratios)})",
        ]
    return "\n".join(lines)


def total(one: dict[str, Any]) -> float:
    """Seconds of the whole iteration."""
    return one["steps"] + one["other"]


def iteration(rows: list[dict[str, Any]], way: str) -> dict[str, Any]:
    """Seconds of one iteration of pruning, projected from the events a way did.

    Steps between its events are interpolated; what an event costs is the mean.
    """
    mine = [row for row in rows if row["way"] == way and row.get("event")]
    events = max(row["event"] for row in rows if "event" in row)
    done = [row["event"] for row in mine]
    # The steps before an event are of the network that the one before it left.
    at = [1] + [event + 1 for event in done[:-1]]
    steps = [
        np.interp(np.arange(1, events + 1), at, [row["step"][i] for row in mine])
        for i in (0, 1)
    ]
    wall, cpu = (float(STEPS * s.sum()) for s in steps)
    parts: dict[str, np.ndarray] = {}
    for row in mine:
        for name, seconds in row["parts"].items():
            if name != "steps":
                parts[name] = parts.get(name, 0) + np.array(seconds)
    parts = {name: s * events / len(mine) for name, s in parts.items()}
    for row in rows:
        if row["way"] == way and "seconds" in row:
            parts["checkpoints"] = np.array(row["seconds"]) * wall / MINUTE
    return {
        "way": way,
        "events": events,
        "steps": wall,
        "other": float(sum(s[0] for s in parts.values())),
        "cpu": cpu + float(sum(s[1] for s in parts.values())),
        "parts": {name: float(s[0]) for name, s in parts.items()},
        "growth": growth(mine),
    }


def growth(mine: list[dict[str, Any]]) -> float:
    """MiB that a way's memory grew in 300 events, once it was under way."""
    memory = [row["memory"] for row in mine]
    start = max(1, len(memory) // 20)
    return (memory[-1] - memory[start]) * 300 / (len(memory) - 1 - start)


def static_ratios(rows: list[dict[str, Any]], way: str) -> np.ndarray:
    """Step of a way over the step of a plain model with the same channels."""
    mine = {row["event"]: row for row in rows if row["way"] == way and "step" in row}
    static = [row for row in rows if row["way"] == "static" and "step" in row]
    # The plain model has the channels that the event left: those of the steps after it.
    pairs = [
        (mine[row["event"] + 1], row) for row in static if row["event"] + 1 in mine
    ]
    return np.array([one["step"][0] / other["step"][0] for one, other in pairs])
