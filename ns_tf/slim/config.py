"""Settings of a supernet: which widths share one set of weights, and how they learn."""

import dataclasses

import numpy as np

from ns_tf.base import InputError
from ns_tf.run.checks import at_least
from ns_tf.run.option import option

SWITCHABLE, SHARED = "switchable", "shared"  # Norms.
ALL, SANDWICH = "all", "sandwich"  # Rules.
_GRID = 8  # Shares that the sandwich rule draws from, evenly from the least to 1.


@dataclasses.dataclass(frozen=True)
class SupernetConfig:
    """Which networks a supernet holds; the defaults are those of slimmable networks.

    >>> SupernetConfig().drawn
    (1.0, 0.75, 0.5, 0.25)
    >>> universal = SupernetConfig(shares=(0.3, 1.0), norms="shared")
    >>> universal.rule_used, universal.drawn
    ('sandwich', (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3))
    >>> SupernetConfig(shares=(0.25, 0.5))
    Traceback (most recent call last):
    ...
    ns_tf.base.InputError: --shares are different numbers above 0, 1 among them: \
the whole network; got 0.25,0.5.

    Raises:
        InputError: a setting out of its range, or two that exclude each other.
    """

    shares: tuple[float, ...] = option(
        (0.25, 0.5, 0.75, 1.0),
        "Networks that are trained and judged: multiples of every width, 1 among them.",
    )
    norms: str = option(
        SWITCHABLE,
        "switchable: batch norms of its own for every share, as slimmable networks "
        "have them. shared: one set, whose statistics are measured again for every "
        "width, as universally slimmable ones have it.",
        choices=(SWITCHABLE, SHARED),
    )
    rule: str | None = option(
        None,
        "all: every share learns at every step. sandwich: the whole network, the "
        "smallest and --members - 2 between. If empty, all for switchable norms, "
        "sandwich for shared ones.",
        choices=(ALL, SANDWICH),
    )
    members: int = option(4, "Networks a step of the sandwich rule.")
    inplace_distil: bool = option(
        False,
        "The others learn the whole network's answers of the same step, not labels.",
    )
    calibration_images: int = option(
        640, "Training images from which statistics of shared norms are measured."
    )

    def __post_init__(self):
        shares = self.shares
        sound = all(0 < share <= 1 for share in shares) and 1 in shares
        if not sound or len(set(shares)) < len(shares):
            raise InputError(
                "--shares are different numbers above 0, 1 among them: the whole "
                f"network; got {','.join(f'{share:g}' for share in shares)}."
            )
        if len({share_name(share) for share in shares}) < len(shares):
            raise InputError(
                "--shares name networks by six digits, so they differ in these; got "
                f"{','.join(map(str, shares))}."
            )
        at_least(self, 2, "members")
        at_least(self, 1, "calibration_images")
        if self.norms == SWITCHABLE and self.rule == SANDWICH:
            raise InputError(
                "--rule=sandwich draws widths that no switch has norms for; give "
                "--norms=shared."
            )

    @property
    def rule_used(self) -> str:
        """The rule, or the one that the norms mean."""
        return self.rule or (ALL if self.norms == SWITCHABLE else SANDWICH)

    @property
    def drawn(self) -> tuple[float, ...]:
        """All shares that may learn at a step, the largest first."""
        shares = set(self.shares)
        if self.rule_used == SANDWICH and len(shares) > 1:
            grid = np.linspace(min(shares), 1, _GRID)[1:-1]
            known = {share_name(share) for share in shares}
            between = (round(float(share), 6) for share in grid)
            shares |= {share for share in between if share_name(share) not in known}
        return tuple(sorted(shares, reverse=True))

    @property
    def slots(self) -> tuple[tuple[int, ...], ...]:
        """Of every network of a step the places in `drawn` that it may be.

        >>> SupernetConfig(shares=(0.5, 1.0)).slots
        ((0,), (1,))
        >>> SupernetConfig(shares=(0.3, 1.0), norms="shared", members=3).slots
        ((0,), (7,), (1, 2, 3, 4, 5, 6))
        """
        places = tuple(range(len(self.drawn)))
        if self.rule_used == ALL or len(places) < 3:
            return tuple((place,) for place in places)
        ends = (places[:1], places[-1:])
        return *ends, *(places[1:-1],) * (self.members - 2)


def share_name(share: float) -> str:
    """What the network of a share is called in checkpoints and folders.

    >>> share_name(1 / 3), share_name(1.0)
    ('0.333333', '1')
    """
    return f"{share:g}"


# Supernets of the papers, by name: Yu et al., ICLR 2019; Yu & Huang, ICCV 2019.
SLIMMABLE, UNIVERSAL = "slimmable", "universal"
KINDS = {
    SLIMMABLE: SupernetConfig(),
    UNIVERSAL: SupernetConfig(shares=(0.25, 1.0), norms=SHARED),
}
