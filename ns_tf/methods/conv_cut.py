"""ConvCut: uniform widths with a convolution in every shortcut (tables 5 and 6)."""

from ns_tf import architectures, plans, registry, runs, structure
from ns_tf.base import InputError
from ns_tf.methods import NotApplicable, method


@method(
    "conv_cut",
    help="Uniform, every identity shortcut replaced by a 1x1 convolution.",
)
def conv_cut(setting, targets):
    """Uniform scaling of the network without identities.

    Departure: the authors keep the widths of r and so exceed the uniform network's
    parameters; here it meets the same budget.
    """
    text = _without_identities(setting.structure.architecture.name)
    plain = setting.plain
    cut = structure.analyse(architectures.get(text), plain.input_shape, plain.classes)
    record = runs.new_search(cut, plain.dataset, plain.default_widths)
    return setting.propose(plans.curve(record, "uniform"), targets, record)


def _without_identities(text: str) -> str:
    """The architecture's name with its option set."""
    try:
        name, options = registry.parse_call(text)
        options["shortcuts"] = architectures.CONVOLUTION
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        cut = f"{name}({given})"
        architectures.get(cut)
    except InputError as error:
        raise NotApplicable(
            f"{text} has no shortcuts to cut (no option `shortcuts` of its builder)"
        ) from error
    return cut
