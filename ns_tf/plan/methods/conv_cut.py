"""ConvCut: uniform widths with a convolution in every shortcut (tables 5 and 6)."""

from ns_tf.base import InputError
from ns_tf.descend.record import new_search
from ns_tf.networks import architectures
from ns_tf.networks.architectures import CONVOLUTION
from ns_tf.plan.methods import NotApplicable, method, proportional
from ns_tf.registry import parse_call


@method(
    "conv_cut",
    help="Uniform, every identity shortcut replaced by a 1x1 convolution.",
    proposes=True,
)
def conv_cut(setting, targets):
    """Uniform scaling of the network without identities.

    Departure: the authors keep the widths of r and so exceed the uniform network's
    parameters; here it meets the same budget.
    """
    from ns_tf.networks.structure import analyse  # Late: it needs Keras.

    text = _without_identities(setting.structure.architecture.name)
    plain = setting.plain
    cut = analyse(architectures.get(text), plain.input_shape, plain.classes)
    record = new_search(cut, plain.dataset, plain.default_widths)
    return setting.propose(proportional(record, record.default_widths), targets, record)


def _without_identities(text: str) -> str:
    """The architecture's name with its option set."""
    try:
        name, options = parse_call(text)
        options["shortcuts"] = CONVOLUTION
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        cut = f"{name}({given})"
        architectures.get(cut)
    except InputError as error:
        raise NotApplicable(
            f"{text} has no shortcuts to cut (no option `shortcuts` of its builder)"
        ) from error
    return cut
