"""Settings: typed, frozen, validated; an ablation file, its variants, and the name of every run."""

from bottleneck_lab.config.ablations.ablation import Ablation
from bottleneck_lab.config.ablations.design import Design, design_of
from bottleneck_lab.config.ablations.parts import TIERS, Claim, Tier, Variant
from bottleneck_lab.config.activations import Activation
from bottleneck_lab.config.base import DatasetName, InitialSettings, Unchecked
from bottleneck_lab.config.data import ImageSettings, PointSettings, SpiralSettings
from bottleneck_lab.config.files import as_overrides, catalogue, load, parse_overrides
from bottleneck_lab.config.networks.inverted import NETWORKS, MobileNetV2Settings, ToyNetworkSettings
from bottleneck_lab.config.networks.others import MobileNetV1Settings, ResNetSettings, ShuffleNetSettings
from bottleneck_lab.config.settings import RunSettings
from bottleneck_lab.config.training import TrainSettings

__all__ = [
    "NETWORKS",
    "TIERS",
    "Ablation",
    "Activation",
    "Claim",
    "DatasetName",
    "Design",
    "ImageSettings",
    "InitialSettings",
    "MobileNetV1Settings",
    "MobileNetV2Settings",
    "PointSettings",
    "ResNetSettings",
    "RunSettings",
    "ShuffleNetSettings",
    "SpiralSettings",
    "Tier",
    "ToyNetworkSettings",
    "TrainSettings",
    "Unchecked",
    "Variant",
    "as_overrides",
    "catalogue",
    "design_of",
    "load",
    "parse_overrides",
]
