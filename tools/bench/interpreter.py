"""Runs a file with TensorFlow Lite for Microcontrollers, in a process of its own.

The package `tflite_micro` is not needed by ns_tf. Where to find it: `PYTHONPATH=FOLDER`
of `pip install --target FOLDER tflite_micro`.
"""

import dataclasses
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

NAMES = ("network.tflite", "inputs.npy", "outputs.npy")
ROOM = 50_000_000  # Bytes of the arena that files are run in.
# What it places is printed by C++, so it is read from a pipe.
RUN = """
import sys, types
sys.modules.setdefault("yaml", types.ModuleType("yaml"))  # It only reads settings.
import numpy as np
from tflite_micro.python.tflite_micro import runtime
path, room, inputs, outputs = sys.argv[1:]
file = open(path, "rb").read()
interpreter = runtime.Interpreter.from_bytes(file, arena_size=int(room))
answers = []
for one in np.load(inputs):
    interpreter.set_input(one[np.newaxis], 0)
    interpreter.invoke()
    answers.append(interpreter.get_output(0)[0])
np.save(outputs, np.array(answers))
interpreter.print_allocations()
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Ran:
    """What running a file showed.

    Args:
        arena: Bytes of the arena that do not stay: what its planner placed.
        answers: Of the inputs, [n, ...], as the file gives them.
    """

    arena: int
    answers: np.ndarray


def installed() -> bool:
    """Whether there is the interpreter."""
    return importlib.util.find_spec("tflite_micro") is not None


def run(file: bytes, inputs: np.ndarray | tuple = ()) -> Ran:
    """Runs a file on inputs.

    Args:
        file: A LiteRT file of one input and one output.
        inputs: [n, ...] as the file takes them; none only places its buffers.

    Raises:
        RuntimeError: the interpreter does not take the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        network, given, found = (Path(folder) / name for name in NAMES)
        network.write_bytes(file)
        np.save(given, np.asarray(inputs))
        command = [sys.executable, "-c", RUN, network, str(ROOM), given, found]
        ran = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        placed = re.search(r"allocation head (\d+) bytes", ran.stdout + ran.stderr)
        if placed is None:
            raise RuntimeError(ran.stderr.strip().splitlines()[-1])
        return Ran(int(placed[1]), np.load(found))
