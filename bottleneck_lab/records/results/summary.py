"""`summary.json`: what came out for every variant and claim. `report.findings.summary` says how.

What has a default is what summaries of former versions do not have.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bottleneck_lab.config import Tier, Unchecked
from bottleneck_lab.records import files
from bottleneck_lab.records.lenient import Stray
from bottleneck_lab.records.names import SUMMARY
from bottleneck_lab.stats import Kind, Verdict
from bottleneck_lab.stats.stretch import Stretch


@dataclass(frozen=True, kw_only=True)
class MeasureFinding:
    """A measure of a variant: its mean over seeds and the 95 % interval, in its own unit."""

    label: str
    share: bool
    n_seeds: int
    mean: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, kw_only=True)
class VariantFinding:
    """What came out for a variant on a data set."""

    name: str
    dataset: str
    levels: dict[str, str]
    params: int
    madds: int
    shortcuts: int | None = None
    depthwise: int | None = None
    n_seeds: int
    n_planned: int = 0
    complete: bool = True
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    test_mean: float | None
    paper_top1: float | None = None
    paper_data: str | None = None
    measures: dict[str, MeasureFinding] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ClaimFinding:
    """What came out for a claim on a data set. What begins with `level`, only a claim with a design has."""

    id: str
    statement: str
    source: str
    dataset: str
    measure: str = "accuracy"
    label: str = "accuracy"
    share: bool = True
    kind: Kind
    margin: float
    contrast: dict[str, float]
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    examples_low: float | None = None
    examples_high: float | None = None
    paper: float | None = None
    paper_data: str | None = None
    p_value: float | None
    p_holm: float | None
    n_seeds: int
    n_planned: int = 0
    complete: bool = True
    estimate_complete: bool = True
    detectable: float | None
    seeds_for_half_interval: int | None
    verdict: Verdict
    reason: str | None
    level: float | None = None
    look: int | None = None
    looks: list[int] | None = None
    family: str | None = None
    weight: float | None = None
    bounds: list[float] | None = None
    far_from_normal: bool = False
    contrasts: list[float] | None = None
    to_decide: int | None = None

    @property
    def has_design(self) -> bool:
        """Whether it was judged by the design of its data set, and not together with all others."""
        return self.family is not None


_OF_DESIGN = (
    "level",
    "look",
    "looks",
    "family",
    "weight",
    "bounds",
    "far_from_normal",
    "contrasts",
    "to_decide",
)


@dataclass(frozen=True, kw_only=True)
class Ends:
    """An interval over seeds."""

    ci_low: float
    ci_high: float


@dataclass(frozen=True, kw_only=True)
class LengthFinding:
    """Two arms after trainings of one length: the gap in accuracy (0 to 1), and the time stretch."""

    epochs: int | float
    n_seeds: int
    gap: float | None
    ends: Ends | None
    stretch: Stretch | None


@dataclass(frozen=True, kw_only=True)
class PaperStretch:
    """The time stretch by the paper's own curves, by how far training was."""

    unit: str
    data: str
    stretch: list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class RulesFinding:
    """What the rules of a budget come to, in sentences, and the verdict."""

    speed: bool
    stays: bool
    said: list[str]
    verdict: str


@dataclass(frozen=True, kw_only=True)
class BudgetFinding:
    """Two arms along the length of training; `rules` only once every run of both is done."""

    dataset: str
    fast: str
    slow: str
    lengths: list[LengthFinding]
    paper: PaperStretch | None
    rules: RulesFinding | None


@dataclass(frozen=True, kw_only=True)
class Rank:
    """A rank correlation with what is lost, over so many arms, and its interval."""

    estimate: float
    low: float | None
    high: float | None
    arms: int


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a hypothesis predicted of an arm, in points; of the anchor it is given, and not judged.

    `beyond` is by how much more was lost, with its interval.
    """

    points: float
    beyond: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str | None


@dataclass(frozen=True, kw_only=True)
class ArmFinding:
    """What an arm has lost beside its reference, in points, and what was predicted of it by hypothesis."""

    variant: str
    reference: str
    n_seeds: int
    lost: float | None
    ci_low: float | None
    ci_high: float | None
    covariates: dict[str, float] | None
    predicted: dict[str, Prediction]


@dataclass(frozen=True, kw_only=True)
class HypothesisFinding:
    """Whether a hypothesis is excluded, by which arms, and how well it orders them."""

    name: str
    says: str | None
    verdict: str
    excluded_by: list[str]
    tested: int
    rank: Rank | None


@dataclass(frozen=True, kw_only=True)
class CovariateFinding:
    """How well a covariate orders what is lost."""

    name: str
    label: str
    rank: Rank | None


@dataclass(frozen=True, kw_only=True)
class PredictionsFinding:
    """What hypotheses predicted of the arms on a data set beside what was measured."""

    dataset: str
    reference: str
    anchor: str | None
    tolerance: float
    arms: list[ArmFinding]
    hypotheses: list[HypothesisFinding]
    covariates: list[CovariateFinding]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """The seeds of a variant that are not done, and what has become of them instead."""

    dataset: str
    variant: str
    seeds: list[int]
    status: str


@dataclass(frozen=True)
class Origin:
    """The code and machine that so many finished runs come from."""

    bottleneck_lab: str | None
    commit: str | None
    torch: str | None
    device: str | None
    cpu: str | None
    runs: int = 1


ORIGIN = ("bottleneck_lab", "commit", "torch", "device", "cpu")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What `summary.json` holds."""

    ablation: str
    tier: Tier
    datasets: list[str]
    notices: list[str]
    overrides: Unchecked
    runs: dict[str, int]
    missing: list[Missing] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    other_plans: int = 0
    origins: list[Origin]
    variants: list[VariantFinding]
    claims: list[ClaimFinding]
    budgets: list[BudgetFinding] = field(default_factory=list)
    predictions: list[PredictionsFinding] = field(default_factory=list)

    def on(self, dataset: str) -> list[VariantFinding]:
        """The variants on a data set."""
        return [variant for variant in self.variants if variant.dataset == dataset]

    def claims_on(self, dataset: str) -> list[ClaimFinding]:
        """The claims on a data set."""
        return [claim for claim in self.claims if claim.dataset == dataset]

    def to_json(self) -> dict[str, Any]:
        """As it is written: what does not apply is left out."""
        content = asdict(self)
        for claim, written in zip(self.claims, content["claims"], strict=True):
            for key in () if claim.has_design else _OF_DESIGN:
                del written[key]
        for found in content["predictions"]:
            for arm in found["arms"]:
                for prediction in arm["predicted"].values():
                    if prediction["verdict"] is None:
                        del prediction["beyond"], prediction["low"], prediction["high"]
        told = {k: v for k, v in content.items() if v or k not in ("budgets", "predictions")}
        as_json: dict[str, Any] = files.finite(told)
        return as_json


def write_summary(folder: Path, summary: Summary) -> None:
    """Leave `summary.json` in a folder."""
    files.write_json(folder / SUMMARY, summary.to_json())


def read_summary(folder: Path) -> Summary:
    """The content of `summary.json`.

    Raises:
        LabError: it cannot be read, or is none, with the place where it is not.
    """
    return files.read_left(Summary, folder / SUMMARY, "make the report again, or publish it again")
