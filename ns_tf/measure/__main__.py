"""Measures how long a network's layers take on a device, at many widths.

python -m ns_tf.measure --run_dir=runs/vgg11 --runtime=litert --threads=1
python -m ns_tf.measure --model=mine.keras --runtime=onnx --out=server.json
python -m ns_tf.measure --run_dir=runs/vgg11 --write_models=phone
python -m ns_tf.measure --run_dir=runs/vgg11 --import=phone/times.csv --out=phone.json

Plans read the file: python -m ns_tf.plan --latency_ms=5 --device=device.json. The third
command writes the models to time on another device, and the fourth reads the times. See
docs/devices.md.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

from ns_tf import cli
from ns_tf.measure.config import MeasureConfig


def main(config: MeasureConfig) -> None:
    """Measures, and prints how well layers add up to whole networks.

    Args:
        config: What, on what and how finely.

    Raises:
        InputError: as `ns_tf.measure.work.Measuring`.
    """
    cli.quiet_tensorflow()
    from ns_tf.measure.work import Measuring

    work = Measuring.of(config)
    with cli.watching() as watch:
        if config.write_models:
            table = work.write(watch)
            print(f"Time the models beside {table} and fill in its column ms.")
            return
        device = work.run(watch)
        print(device)
        print(f"Device file: {work.out}")


if __name__ == "__main__":
    cli.run(main, MeasureConfig)
