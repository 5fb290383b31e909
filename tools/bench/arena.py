"""`peak_ram` against the arena of TensorFlow Lite for Microcontrollers, as a table.

Where `tflite_micro` is not installed (`interpreter.py`), this says so and ends.

python tools/bench/arena.py --seeds=1
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from arena_networks import HANDMADE
from interpreter import installed, run

from ns_tf import budgets
from ns_tf.base import Architecture
from ns_tf.networks import architectures
from ns_tf.networks.deployed import deployed, litert, litert_int8, softmax_of
from ns_tf.networks.structure import Structure, analyse

OURS = ("vgg11", "mobilenet_v2", "preact_resnet18")
SHAPE, CLASSES = (32, 32, 3), 10


def main() -> None:
    """Prints a row a network and kind of file; ends with 1 if one is over or under."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="Lists of widths each.")
    parser.add_argument("--only", default="", help="Networks whose name has this.")
    asked = parser.parse_args()
    if not installed():
        print("tflite_micro is not installed; nothing to compare with.")
        return
    print("| network | widths | file | peak_ram | alive at once | arena | over |")
    print("|" + "---|" * 7)
    wrong = 0
    for name, structure in networks(asked.only):
        for seed in range(asked.seeds):
            widths = some_widths(structure, seed)
            for budget in ("peak_ram", "peak_ram_float32"):
                cost = budgets.get(budget).cost(structure)
                told, alive = int(cost(widths)), most(cost.near, widths)
                truth = run(file_of(structure, widths, budget == "peak_ram")).arena
                over = told / truth - 1
                wrong += not 0 <= over <= 0.03
                kind = "int8" if budget == "peak_ram" else "float32"
                short = ",".join(map(str, widths.tolist()))
                row = f"{told:,} | {alive:,} | {truth:,} | {over:.2%}"
                print(f"| {name} | {short} | {kind} | {row} |", flush=True)
    sys.exit(bool(wrong))


def networks(only: str) -> Iterator[tuple[str, Structure]]:
    """The networks of this package and handmade ones."""
    known = {name: architectures.get(name) for name in OURS}
    for name, (builder, widths) in HANDMADE.items():
        known[name] = Architecture(name, widths, builder)
    for name, architecture in known.items():
        if only in name:
            yield name, analyse(architecture, SHAPE, CLASSES)


def some_widths(structure: Structure, seed: int) -> np.ndarray:
    """Widths around an eighth of the default ones, and no two alike by rule."""
    rng = np.random.default_rng(seed)
    default = np.array(structure.architecture.widths)
    thin = default / 8 if default.max() > 63 else default
    return np.maximum(2, thin * np.exp(rng.normal(0, 0.5, len(thin)))).astype(int)


def most(instants: tuple, widths: np.ndarray) -> int:
    """The largest of some costs."""
    return max(int(one(widths)) for one in instants)


def file_of(structure: Structure, widths: np.ndarray, int8: bool) -> bytes:
    """The LiteRT file of the network with random weights."""
    model = structure.build(widths.tolist())
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    half, quarter = np.full(SHAPE[-1], 0.5), np.full(SHAPE[-1], 0.25)
    answer = softmax_of(model)
    model = deployed(model, half, quarter, answer=answer, dtype="float32")
    return (
        litert_int8(model, rng.uniform(0, 255, (2, *SHAPE))) if int8 else litert(model)
    )


if __name__ == "__main__":
    main()
