"""Networks of keras-hub with random weights, at the sizes of their smallest presets.

ns_tf does not need keras-hub: `pip install keras-hub` to measure these networks.
Presets are downloads, so the arguments of their constructors stand here.
"""

from collections.abc import Callable

CLASSES = 10
TOKENS = 16  # Of a text.
WORDS = 101


def makers() -> dict[str, Callable]:
    """Name -> what makes the classifier of a number of pixels (texts ignore it)."""
    import keras_hub.models as hub

    resnet = dict(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
    )
    vit = dict(patch_size=16, num_layers=4, num_heads=3, hidden_dim=192)
    text = dict(
        vocabulary_size=WORDS,
        num_layers=2,
        num_heads=2,
        hidden_dim=64,
        intermediate_dim=256,
    )
    images = {
        "ResNet18": (hub.ResNetBackbone, resnet | {"block_type": "basic_block"}),
        "ResNetV2 50": (
            hub.ResNetBackbone,
            resnet
            | {
                "block_type": "bottleneck_block",
                "stackwise_num_blocks": [3, 4, 6, 3],
                "use_pre_activation": True,
            },
        ),
        "ResNet vd": (
            hub.ResNetBackbone,
            resnet
            | {
                "block_type": "basic_block_vd",
                "input_conv_filters": [32, 32, 64],
                "input_conv_kernel_sizes": [3, 3, 3],
            },
        ),
        "DenseNet121": (
            hub.DenseNetBackbone,
            {"stackwise_num_repeats": [6, 12, 24, 16]},
        ),
        "VGG11": (
            hub.VGGBackbone,
            {
                "stackwise_num_repeats": [1, 1, 2, 2, 2],
                "stackwise_num_filters": [64, 128, 256, 512, 512],
            },
        ),
        "EfficientNetLite0": (
            hub.EfficientNetBackbone,
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
            hub.CSPNetBackbone,
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
            hub.MiTBackbone,
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
        "ViT": (hub.ViTBackbone, vit | {"mlp_dim": 768}),
        "DeiT": (hub.DeiTBackbone, vit | {"intermediate_dim": 768}),
        "DINOv2": (hub.DINOV2Backbone, vit | {"intermediate_dim": 768}),
        "SwinTransformer": (
            hub.SwinTransformerBackbone,
            {
                "embed_dim": 48,
                "depths": [2, 2, 2],
                "num_heads": [2, 4, 8],
                "window_size": 3,
                "patch_size": 4,
            },
        ),
        "Xception": (
            hub.XceptionBackbone,
            {
                "stackwise_conv_filters": [[32, 64], [128, 128], [256, 256]],
                "stackwise_pooling": [False, True, True],
            },
        ),
    }
    texts = {
        "BERT": (hub.BertBackbone, text),
        "DistilBERT": (hub.DistilBertBackbone, text),
        "RoBERTa": (hub.RobertaBackbone, text),
        "ALBERT": (hub.AlbertBackbone, text | {"embedding_dim": 32}),
        "FNet": (
            hub.FNetBackbone,
            {name: value for name, value in text.items() if name != "num_heads"},
        ),
        "GPT-2": (hub.GPT2Backbone, text),
        "OPT": (hub.OPTBackbone, text),
        "GPT-NeoX": (hub.GPTNeoXBackbone, text),
    }
    return {name: _image_maker(*one) for name, one in images.items()} | {
        name: _text_maker(*one) for name, one in texts.items()
    }


def _image_maker(backbone: type, options: dict) -> Callable:
    """A classifier on the mean of what a backbone makes of an image."""

    def make(pixels: int):
        import keras

        shape = (pixels, pixels, 3)
        image = keras.Input(shape, name="image")
        x = (
            backbone(image_shape=shape, **options)(image)
            if _sized(backbone)
            else (backbone(input_shape=shape, **options)(image))
        )
        if isinstance(x, dict):
            x = x[sorted(x)[-1]]
        pool = keras.layers.GlobalAveragePooling2D
        if len(x.shape) == 3:
            pool = keras.layers.GlobalAveragePooling1D
        return keras.Model(image, keras.layers.Dense(CLASSES)(pool()(x)))

    return make


def _sized(backbone: type) -> bool:
    """Whether the size of the image is called `image_shape`."""
    import inspect

    return "image_shape" in inspect.signature(backbone.__init__).parameters


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
