"""Networks of keras-hub with random weights, at the sizes of their smallest presets.

ns_tf does not need keras-hub: `pip install keras-hub` to measure these networks.
Presets are downloads, so the arguments of their constructors stand here.
"""

import inspect
from collections.abc import Callable

CLASSES = 10
TOKENS = 16  # Of a text.
WORDS = 101


_RESNET = dict(
    input_conv_filters=[64],
    input_conv_kernel_sizes=[7],
    stackwise_num_filters=[64, 128, 256, 512],
    stackwise_num_blocks=[2, 2, 2, 2],
    stackwise_num_strides=[1, 2, 2, 2],
)
_VIT = dict(patch_size=16, num_layers=4, num_heads=3, hidden_dim=192)
_TEXT = dict(
    vocabulary_size=WORDS,
    num_layers=2,
    num_heads=2,
    hidden_dim=64,
    intermediate_dim=256,
)
# By name: the class of the backbone and its arguments.
IMAGES = {
    "ResNet18": ("ResNetBackbone", _RESNET | {"block_type": "basic_block"}),
    "ResNetV2 50": (
        "ResNetBackbone",
        _RESNET
        | {
            "block_type": "bottleneck_block",
            "stackwise_num_blocks": [3, 4, 6, 3],
            "use_pre_activation": True,
        },
    ),
    "ResNet vd": (
        "ResNetBackbone",
        _RESNET
        | {
            "block_type": "basic_block_vd",
            "input_conv_filters": [32, 32, 64],
            "input_conv_kernel_sizes": [3, 3, 3],
        },
    ),
    "DenseNet121": (
        "DenseNetBackbone",
        {"stackwise_num_repeats": [6, 12, 24, 16]},
    ),
    "VGG11": (
        "VGGBackbone",
        {
            "stackwise_num_repeats": [1, 1, 2, 2, 2],
            "stackwise_num_filters": [64, 128, 256, 512, 512],
        },
    ),
    "EfficientNetLite0": (
        "EfficientNetBackbone",
        {
            "stackwise_width_coefficients": [1.0] * 7,
            "stackwise_depth_coefficients": [1.0] * 7,
            "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
            "stackwise_num_repeats": [1, 2, 2, 3, 3, 4, 1],
            "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
            "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
            "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6],
            "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
            "stackwise_squeeze_and_excite_ratios": [0.0] * 7,
            "stackwise_block_types": ["v1"] * 7,
        },
    ),
    "CSPDarkNet": (
        "CSPNetBackbone",
        {
            "stem_filters": 32,
            "stem_kernel_size": 3,
            "stem_strides": 1,
            "stackwise_depth": [1, 2, 2],
            "stackwise_strides": [2, 2, 2],
            "stackwise_num_filters": [64, 128, 256],
            "block_type": "dark_block",
            "stage_type": "csp",
            "bottle_ratio": [0.5, 1.0, 1.0],
            "block_ratio": [1.0, 0.5, 0.5],
            "expand_ratio": [2.0, 1.0, 1.0],
            "down_growth": True,
        },
    ),
    "MiT B0": (
        "MiTBackbone",
        {
            "layerwise_depths": [2, 2, 2, 2],
            "num_layers": 4,
            "layerwise_num_heads": [1, 2, 5, 8],
            "layerwise_sr_ratios": [8, 4, 2, 1],
            "max_drop_path_rate": 0.0,
            "layerwise_patch_sizes": [7, 3, 3, 3],
            "layerwise_strides": [4, 2, 2, 2],
            "hidden_dims": [32, 64, 160, 256],
        },
    ),
    "ViT": ("ViTBackbone", _VIT | {"mlp_dim": 768}),
    "DeiT": ("DeiTBackbone", _VIT | {"intermediate_dim": 768}),
    "DINOv2": ("DINOV2Backbone", _VIT | {"intermediate_dim": 768}),
    "SwinTransformer": (
        "SwinTransformerBackbone",
        {
            "embed_dim": 48,
            "depths": [2, 2, 2],
            "num_heads": [2, 4, 8],
            "window_size": 3,
            "patch_size": 4,
        },
    ),
    "Xception": (
        "XceptionBackbone",
        {
            "stackwise_conv_filters": [[32, 64], [128, 128], [256, 256]],
            "stackwise_pooling": [False, True, True],
        },
    ),
}
TEXTS = {
    "BERT": ("BertBackbone", _TEXT),
    "DistilBERT": ("DistilBertBackbone", _TEXT),
    "RoBERTa": ("RobertaBackbone", _TEXT),
    "ALBERT": ("AlbertBackbone", _TEXT | {"embedding_dim": 32}),
    "FNet": (
        "FNetBackbone",
        {name: value for name, value in _TEXT.items() if name != "num_heads"},
    ),
    "GPT-2": ("GPT2Backbone", _TEXT),
    "OPT": ("OPTBackbone", _TEXT),
    "GPT-NeoX": ("GPTNeoXBackbone", _TEXT),
}


def makers() -> dict[str, Callable]:
    """Name -> what makes the classifier of a number of pixels (texts ignore it)."""
    import keras_hub.models as hub

    images = {
        name: _image_maker(getattr(hub, backbone), options)
        for name, (backbone, options) in IMAGES.items()
    }
    texts = {
        name: _text_maker(getattr(hub, backbone), options)
        for name, (backbone, options) in TEXTS.items()
    }
    return images | texts


def _image_maker(backbone: type, options: dict) -> Callable:
    """A classifier on the mean of what a backbone makes of an image."""
    names = inspect.signature(backbone.__init__).parameters
    size = "image_shape" if "image_shape" in names else "input_shape"

    def make(pixels: int):
        import keras

        shape = (pixels, pixels, 3)
        image = keras.Input(shape, name="image")
        x = backbone(**{size: shape}, **options)(image)
        if isinstance(x, dict):
            x = x[sorted(x)[-1]]
        pool = keras.layers.GlobalAveragePooling2D
        if len(x.shape) == 3:
            pool = keras.layers.GlobalAveragePooling1D
        return keras.Model(image, keras.layers.Dense(CLASSES)(pool()(x)))

    return make


def _text_maker(backbone: type, options: dict) -> Callable:
    """A classifier on the mean of what a backbone makes of tokens without padding."""

    def make(pixels: int):
        import keras

        tokens = keras.Input((TOKENS,), dtype="int32", name="tokens")
        body = backbone(**options)
        given = {
            "token_ids": tokens,
            "padding_mask": keras.ops.ones_like(tokens),
            "segment_ids": keras.ops.zeros_like(tokens),
        }
        x = body({name: given[name] for name in body.input})
        if isinstance(x, dict):
            x = x["sequence_output"]
        x = keras.layers.GlobalAveragePooling1D()(x)
        return keras.Model(tokens, keras.layers.Dense(CLASSES)(x))

    return make
