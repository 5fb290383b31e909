"""ConvCut: uniform widths with a convolution in every shortcut (tables 5 and 6)."""

from collections.abc import Mapping

from ns_tf.base import InputError
from ns_tf.descend.record import new_search
from ns_tf.networks import architectures
from ns_tf.networks.architectures import CONVOLUTION
from ns_tf.plan.methods import (
    NotApplicable,
    Proposal,
    Setting,
    method,
    proportional,
)
from ns_tf.registry import parse_call


@method(
    "conv_cut",
    help="Uniform, every identity shortcut replaced by a 1x1 convolution.",
    proposes=True,
)
def conv_cut(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """Uniform scaling of the architecture with `shortcuts="convolution"`.

    Departure: the authors keep the widths of r and so exceed the uniform network's
    parameters; here the network meets the same budget.

    Args:
        setting: Of the network that is compared.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: the architecture has no option `shortcuts`.
        InputError: the budgets cannot be met.
    """
    from ns_tf.networks.structure import analyse  # Late: it needs Keras.

    text = _without_identities(setting.structure.architecture.name)
    plain = setting.plain
    cut = analyse(architectures.get(text), plain.input_shape, plain.classes)
    record = new_search(cut, plain.dataset, plain.default_widths)
    return setting.propose(proportional(record, record.default_widths), targets, record)


def _without_identities(text: str) -> str:
    """The architecture's name with the option `shortcuts` set to convolutions.

    >>> _without_identities("mobilenet_v2(late_stride=2)")
    "mobilenet_v2(late_stride=2, shortcuts='convolution')"

    Raises:
        NotApplicable: the architecture has no such option.
    """
    try:
        name, options = parse_call(text)
        options["shortcuts"] = CONVOLUTION
        arguments = ", ".join(f"{key}={value!r}" for key, value in options.items())
        cut = f"{name}({arguments})"
        architectures.get(cut)
    except InputError as error:
        raise NotApplicable(
            f"{text} has no shortcuts to cut (no option `shortcuts` of its builder)"
        ) from error
    return cut
