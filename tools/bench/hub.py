"""Networks of keras-hub with random weights, at the sizes of their smallest presets.

ns_tf does not need keras-hub: `pip install keras-hub` to measure these networks.
Presets are downloads, so the arguments of their constructors stand here.
"""

import functools
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
_WITHOUT_HEADS = {name: value for name, value in _TEXT.items() if name != "num_heads"}
_QUERIES = _WITHOUT_HEADS | {"num_query_heads": 4, "num_key_value_heads": 2}
# Blocks of MobileNetV5: an edge residual, inverted residuals, attention of one key.
_V5 = {
    "stackwise_block_types": [["er"], ["uir", "uir"], ["uir", "mqa"]],
    "stackwise_num_blocks": [1, 2, 2],
    "stackwise_num_filters": [[24], [48, 48], [64, 64]],
    "stackwise_strides": [[2], [2, 1], [2, 1]],
    "stackwise_act_layers": [["relu"], ["relu", "relu"], ["relu", "relu"]],
    "stackwise_exp_ratios": [[4.0], [6.0, 4.0], [4.0, 1.0]],
    "stackwise_se_ratios": [[0.0], [0.0, 0.0], [0.0, 0.0]],
    "stackwise_dw_kernel_sizes": [[0], [5, 0], [5, 0]],
    "stackwise_dw_start_kernel_sizes": [[0], [3, 0], [0, 0]],
    "stackwise_dw_end_kernel_sizes": [[0], [0, 0], [0, 0]],
    "stackwise_exp_kernel_sizes": [[3], [0, 0], [0, 0]],
    "stackwise_pw_kernel_sizes": [[1], [0, 0], [0, 0]],
    "stackwise_num_heads": [[0], [0, 0], [0, 4]],
    "stackwise_key_dims": [[0], [0, 0], [0, 16]],
    "stackwise_value_dims": [[0], [0, 0], [0, 16]],
    "stackwise_kv_strides": [[0], [0, 0], [0, 1]],
    "stackwise_use_cpe": [[False], [False, False], [False, False]],
    "act_layer": "relu",
}
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
    "MobileNetV3": (
        "MobileNetBackbone",
        {
            "stackwise_expansion": [[40, 56], [64, 144, 144], [72, 72]],
            "stackwise_num_blocks": [2, 3, 2],
            "stackwise_num_filters": [[16, 16], [24, 24, 24], [24, 24]],
            "stackwise_kernel_size": [[3, 3], [5, 5, 5], [5, 5]],
            "stackwise_num_strides": [[2, 1], [2, 1, 1], [1, 1]],
            "stackwise_se_ratio": [[None, None], [0.25, 0.25, 0.25], [0.3, 0.3]],
            "stackwise_activation": [
                ["relu", "relu"],
                ["hard_swish", "hard_swish", "hard_swish"],
                ["hard_swish", "hard_swish"],
            ],
            "stackwise_padding": [[1, 1], [2, 2, 2], [2, 2]],
            "output_num_filters": 288,
            "input_activation": "hard_swish",
            "output_activation": "hard_swish",
            "input_num_filters": 16,
            "depthwise_filters": 8,
            "depthwise_stride": 2,
            "depthwise_residual": False,
            "last_layer_filter": 320,
            "squeeze_and_excite": 0.5,
        },
    ),
    "MobileNetV5": ("MobileNetV5Backbone", _V5 | {"use_msfa": False}),
    "MobileNetV5 MSFA": (
        "MobileNetV5Backbone",
        _V5 | {"num_features": 128, "msfa_output_resolution": 6},
    ),
    "HGNetV2": (
        "HGNetV2Backbone",
        {
            "depths": [1, 2, 4],
            "embedding_size": 32,
            "hidden_sizes": [64, 128, 256],
            "stem_channels": [3, 16, 32],
            "hidden_act": "relu",
            "use_learnable_affine_block": False,
            "stackwise_stage_filters": [
                (32, 16, 64, 1, 1, 3),
                (64, 32, 128, 2, 1, 3),
                (128, 64, 256, 4, 1, 3),
            ],
            "apply_downsample": [False, True, True],
            "use_lightweight_conv_block": [False, False, False],
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
    "FNet": ("FNetBackbone", _WITHOUT_HEADS),
    "GPT-2": ("GPT2Backbone", _TEXT),
    "OPT": ("OPTBackbone", _TEXT),
    "GPT-NeoX": ("GPTNeoXBackbone", _TEXT),
    "BLOOM": ("BloomBackbone", _TEXT),
    "Falcon": ("FalconBackbone", _WITHOUT_HEADS | {"num_attention_heads": 2}),
    "LLaMA": ("LlamaBackbone", _QUERIES),
    "Mistral": ("MistralBackbone", _QUERIES),
    "Gemma": ("GemmaBackbone", _QUERIES | {"head_dim": 16}),
    "RoFormerV2": ("RoformerV2Backbone", _TEXT | {"head_size": 32}),
    "XLNet": ("XLNetBackbone", _TEXT),
    "T5": ("T5Backbone", _TEXT),
    "BART": ("BartBackbone", _TEXT),
}


def _encoder(hub, name: str, **options):
    """The backbone of a composed network."""
    backbone, own = IMAGES[name]
    return getattr(hub, backbone)(**own, **options)


def _retina_net(hub, shape: tuple):
    """A detector's backbone: a pyramid of features on a ResNet."""
    return hub.RetinaNetBackbone(
        image_encoder=_encoder(hub, "ResNet18"),
        min_level=3,
        max_level=5,
        use_p5=False,
        image_shape=shape,
    )


def _segformer(hub, shape: tuple):
    """A segmentation by dense layers on all levels of a transformer."""
    encoder = _encoder(hub, "MiT B0", image_shape=shape)
    return hub.SegFormerBackbone(image_encoder=encoder, projection_filters=64)


def _deeplab(hub, shape: tuple):
    """A segmentation by dilated convolutions, joined with an early level."""
    return hub.DeepLabV3Backbone(
        image_encoder=_encoder(hub, "ResNet18"),
        spatial_pyramid_pooling_key="P5",
        low_level_feature_key="P2",
        upsampling_size=8,
        dilation_rates=[6, 12, 18],
        image_shape=shape,
    )


def _basnet(hub, shape: tuple):
    """Two U-Nets, one that refines what the other made."""
    encoder = _encoder(hub, "ResNet18")
    return hub.BASNetBackbone(image_encoder=encoder, num_classes=1, image_shape=shape)


# By name: what makes the backbone, of keras-hub's models and the shape of an image.
COMPOSED = {
    "RetinaNet": _retina_net,
    "SegFormer": _segformer,
    "DeepLabV3": _deeplab,
    "BASNet": _basnet,
}


def makers() -> dict[str, Callable]:
    """Name -> what makes the classifier of a number of pixels (texts ignore it)."""
    import keras_hub.models as hub

    images = {
        name: _image_maker(_backbone_maker(getattr(hub, backbone), options))
        for name, (backbone, options) in IMAGES.items()
    }
    images |= {
        name: _image_maker(functools.partial(make, hub))
        for name, make in COMPOSED.items()
    }
    texts = {
        name: _text_maker(getattr(hub, backbone), options)
        for name, (backbone, options) in TEXTS.items()
    }
    return images | texts


def _backbone_maker(backbone: type, options: dict) -> Callable:
    """What makes a backbone of the shape of an image."""
    names = inspect.signature(backbone.__init__).parameters
    size = "image_shape" if "image_shape" in names else "input_shape"
    return lambda shape: backbone(**{size: shape}, **options)


def _image_maker(backbone: Callable) -> Callable:
    """A classifier on the means of what a backbone makes of an image.

    Args:
        backbone: Of the shape of an image.
    """

    def make(pixels: int):
        import keras

        shape = (pixels, pixels, 3)
        image = keras.Input(shape, name="image")
        made = keras.tree.flatten(backbone(shape)(image))
        x = [
            keras.layers.GlobalAveragePooling2D()(one)
            if len(one.shape) == 4
            else keras.layers.GlobalAveragePooling1D()(one)
            for one in made
        ]
        x = keras.layers.Concatenate()(x) if len(x) > 1 else x[0]
        return keras.Model(image, keras.layers.Dense(CLASSES)(x))

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
        # Encoder and decoder read the same tokens.
        sides = {name: name.removeprefix("encoder_") for name in body.input}
        x = body({n: given[s.removeprefix("decoder_")] for n, s in sides.items()})
        if isinstance(x, dict):
            x = x.get("sequence_output", x.get("decoder_sequence_output"))
        x = keras.layers.GlobalAveragePooling1D()(x)
        return keras.Model(tokens, keras.layers.Dense(CLASSES)(x))

    return make
