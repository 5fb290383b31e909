"""What may change in a network, what stays and why, what it can cost; without data.

python -m ns_tf.inspect --model=mine.keras
python -m ns_tf.inspect --model=vgg11 --picture=vgg11.svg
python -m ns_tf.inspect --model=runs/mine --output=json

The picture opens in any browser, which zooms into it.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

import json
import sys

from ns_tf import cli
from ns_tf.inspect.config import InspectConfig
from ns_tf.run.paths import SVG, check_kind, check_output


def main(inspected: InspectConfig) -> None:
    """Prints the explanation, and draws the picture if it is asked for.

    Args:
        inspected: The model, and what is shown.

    Raises:
        InputError: no such model, one without a graph, or a picture that cannot be
            written.
    """
    if inspected.picture is not None:
        check_output(inspected.picture, "picture")
        check_kind(inspected.picture, "picture", SVG)
    cli.quiet_tensorflow()
    from ns_tf.inspect.explanation import Explanation
    from ns_tf.inspect.reading import read

    reading = read(inspected.model, inspected.input_shape, inspected.classes)
    explanation = Explanation.of(reading)
    if inspected.picture is not None:
        explanation.draw(inspected.picture)
        print(f"Picture: {inspected.picture}", file=sys.stderr)
    if inspected.output == "json":
        print(json.dumps(explanation.to_json(), indent=1))
    else:
        print(explanation)


if __name__ == "__main__":
    cli.run(main, InspectConfig)
