"""Puts epitomes in place of a network's kernels, within budgets; trains nothing.

python -m ns_tf.condense --model=mine.keras --params=0.5 --out=small.keras
python -m ns_tf.condense --model=vgg11 --input_shape=32,32,3 --sampling=wrapped \\
    --macs=0.5 --out=small.keras

The network has fresh weights where its epitomes are. Train it by
python -m ns_tf.train --run_dir=runs/small --architecture=keras:small.keras ...
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

from ns_tf import cli
from ns_tf.condense.config import CondenseConfig


def main(config: CondenseConfig) -> None:
    """Writes the network, and says what became of its layers and costs."""
    cli.quiet_tensorflow()
    from ns_tf.condense.work import condense

    print(condense(config))
    print(f"Network: {config.out}")


if __name__ == "__main__":
    cli.run(main, CondenseConfig)
