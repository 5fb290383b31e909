"""ConvCut: networks without identity shortcuts."""

import keras
import pytest
from toys import setting_of

from ns_tf.base import InputError
from ns_tf.networks import architectures
from ns_tf.networks.structure import count_params
from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable, conv_cut
from ns_tf.registry import parse_call


@pytest.mark.parametrize(
    "network",
    ["preact_resnet18", pytest.param("mobilenet_v2", marks=pytest.mark.slow)],
)
def test_conv_cut_has_no_identity_shortcut_and_keeps_to_the_budget(network):
    setting = setting_of("conv_cut", network)
    proposal = methods.get("conv_cut").propose(setting, {"params": 3e5})
    assert proposal.architecture == f"{network}(shortcuts='convolution')"
    model = architectures.get(proposal.architecture).build(
        proposal.widths, input_shape=(32, 32, 3), classes=10
    )
    assert 0.98 * 3e5 < count_params(model) == proposal.costs["params"] <= 3e5
    adds = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)]
    names = {layer.name for layer in model.layers}
    assert adds
    for add in adds:
        assert f"{add.name.removesuffix('_add')}_shortcut" in names


def test_a_network_without_shortcuts_has_none_to_cut():
    with pytest.raises(NotApplicable, match="vgg11 has no shortcuts to cut"):
        methods.get("conv_cut").propose(setting_of("conv_cut"), {"params": 3e5})


def test_options_of_an_architecture_stay_when_shortcuts_are_cut():
    text = conv_cut._without_identities("mobilenet_v2(late_stride=2)")
    name, options = parse_call(text)
    assert name == "mobilenet_v2"
    assert options == {"late_stride": 2, "shortcuts": "convolution"}


def test_shortcuts_are_of_two_kinds():
    with pytest.raises(InputError, match="'identity' or 'convolution'; got 'none'"):
        architectures.get("preact_resnet18(shortcuts='none')").build(
            input_shape=(32, 32, 3), classes=10
        )
