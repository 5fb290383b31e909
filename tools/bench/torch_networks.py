"""The three networks in PyTorch, to compare speeds with; widths as in ns_tf.

`norms` has the batch norm right behind each width's convolution, None where there is
none; `convs` the convolution that makes each width's filters.
"""

from torch import nn

POOLED = (0, 1, 3, 5, 7)  # Convolutions of VGG11 that are followed by pooling.
STRIDES = (1, 2, 2, 2)
STAGES = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))


class Vgg11(nn.Module):
    """Eight convolutions with batch norm and ReLU, and a linear classifier."""

    def __init__(self, widths):
        super().__init__()
        self.convs, self.norms, layers, before = [], [], [], 3
        for i, width in enumerate(widths):
            conv, norm = nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width)
            layers += [conv, norm, nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if i in POOLED else []
            self.convs.append(conv)
            self.norms.append(norm)
            before = width
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before, 10))

    def forward(self, x):
        """Logits [batch, 10] of images [batch, 3, 32, 32]."""
        return self.layers(x)


class _PreActBlock(nn.Module):
    def __init__(self, before, inner, width, stride):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(before), nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(before, inner, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(inner, width, 3, padding=1, bias=False)
        same = stride == 1 and before == width
        self.shortcut = (
            None if same else nn.Conv2d(before, width, 1, stride, bias=False)
        )

    def forward(self, x):
        y = self.norm1(x).relu()
        shortcut = x if self.shortcut is None else self.shortcut(y)
        return shortcut + self.conv2(self.norm2(self.conv1(y)).relu())


class PreActResNet18(nn.Module):
    """Pre-activation ResNet18; only the inner widths have a norm of their own."""

    def __init__(self, widths):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.convs, self.norms = [self.stem], [None]
        blocks, before = [], widths[0]
        for i in range(8):
            inner, width = widths[1 + 2 * i : 3 + 2 * i]
            stride = STRIDES[i // 2] if i % 2 == 0 else 1
            block = _PreActBlock(before, inner, width, stride)
            self.convs += [block.conv1, block.conv2]
            self.norms += [block.norm2, None]
            blocks.append(block)
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.linear = nn.BatchNorm2d(before), nn.Linear(before, 10)

    def forward(self, x):
        """Logits [batch, 10] of images [batch, 3, 32, 32]."""
        x = self.norm(self.blocks(self.stem(x))).relu()
        return self.linear(x.mean((2, 3)))


def _unit(before, width, size, stride=1, groups=1, active=True):
    conv = nn.Conv2d(before, width, size, stride, size // 2, groups=groups)
    layers = [conv, nn.BatchNorm2d(width)] + ([nn.ReLU6()] if active else [])
    return nn.Sequential(*layers)


class _Bottleneck(nn.Module):
    def __init__(self, before, width, factor, stride):
        super().__init__()
        inner = factor * before
        self.branch = nn.Sequential(
            _unit(before, inner, 1),
            _unit(inner, inner, 3, stride, groups=inner),
            _unit(inner, width, 1, active=False),
        )
        same = stride == 1 and before == width
        self.shortcut = (
            nn.Identity() if same else _unit(before, width, 1, stride, active=False)
        )

    def forward(self, x):
        return self.shortcut(x) + self.branch(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 for small images, a shortcut in every bottleneck."""

    def __init__(self, widths):
        super().__init__()
        units = [_unit(3, widths[0], 3)]
        owners, before, place = [units[0]], widths[0], 1
        for factor, count, stride in STAGES:
            for i in range(count):
                width = widths[place]
                units.append(_Bottleneck(before, width, factor, 1 if i else stride))
                owners.append(units[-1].branch[2])
                before, place = width, place + 1
        units.append(_unit(before, widths[place], 1))
        owners.append(units[-1])
        self.convs = [unit[0] for unit in owners]
        self.norms = [unit[1] for unit in owners]
        self.units, self.last = nn.Sequential(*units), nn.Conv2d(widths[place], 10, 1)

    def forward(self, x):
        """Logits [batch, 10] of images [batch, 3, 32, 32]."""
        return self.last(self.units(x).mean((2, 3), keepdim=True)).flatten(1)


NETWORKS = {
    "vgg11": Vgg11,
    "preact_resnet18": PreActResNet18,
    "mobilenet_v2": MobileNetV2,
}
