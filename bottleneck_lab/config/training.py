"""How one network is trained, as settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bottleneck_lab.config.base import Later, SchemeName, Settings
from bottleneck_lab.quantise.scheme import Scheme, parse_scheme


class TrainSettings(Settings):
    """How one network is trained.

    Args:
        epochs: passes over the training data; for toy networks, full-batch steps.
        batch_size: images per step; absent means the whole training set at once (toy networks).
        optimizer: `sgd` with momentum, `adam`, or `lars`: SGD whose steps have the length of the weights
        that they
            change, layer by layer, times the learning rate (You et al. 2017, with a trust coefficient of 1),
            so that the size of a layer's gradient does not matter; biases and batch norm as with `sgd`.
        schedule: of the learning rate: a `cosine` down to 0, `constant`, or `wsd` (warm-up, stable, decay):
            constant, and over the last `cooldown_share` of the epochs linearly down to 0.
        warmup_epochs: the learning rate rises linearly from 0 over these, then follows `schedule`.
        average_share: what is evaluated and kept at the end is the mean of the weights (and of batch norm's
            statistics) after each step of the last this share of training; 0 for the last weights.
        weight_decay: L2 decay of weights; of batch norm and biases only with `decay_norm`, of depthwise
            weights only with `decay_depthwise` (the official code spares both).
        projection_bias_rate: factor on the learning rate of the bias behind the thin tensor, which decides
        how
            much of it an activation clips.
        label_smoothing: share of the target spread evenly over the classes.
        precision: `auto` uses bfloat16 (or float16 with loss scaling) on CUDA and float32 elsewhere.
        evaluate_every: epochs between evaluations; the last epoch is always evaluated.
        measure_every: epochs between taking the run's measures; absent means after the last epoch only.
        measure_epochs: further epochs after which they are taken.
        kernel: what computes inverted residual blocks in training: `eager` is PyTorch, one operation at a
            time, `fused` one function in C++ (on CPUs; the same mathematics, rounded otherwise), `auto` the
            faster one here. `auto` is no part of a run's id, as the processor is none; the others are asked
            for by name, and are. What was used stands in `environment.json`.
        quantised: a scheme of rounding, as `w4_channel_a4_asymmetric_minmax` (`quantise/scheme.py`), that the
            network is trained under: forwards on grids, backwards straight through. Ranges are those of each
            batch. Accuracy is that of the network as it is; the measure `lost_` with a scheme says what it
            loses under that.
        quantised_after: only after this share of the epochs.
    """

    epochs: int = Field(ge=1, le=10_000_000)
    batch_size: int | None = Field(None, ge=2)
    optimizer: Literal["sgd", "adam", "lars"] = "sgd"
    learning_rate: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    schedule: Literal["cosine", "constant", "wsd"] = "cosine"
    cooldown_share: Annotated[float, Later()] = Field(0.25, gt=0, le=1)
    warmup_epochs: float = Field(0.0, ge=0)
    weight_decay: float = Field(4e-5, ge=0)
    decay_norm: bool = False
    decay_depthwise: bool = False
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    evaluate_every: int = Field(1, ge=1)
    measure_every: int | None = Field(None, ge=1)
    measure_epochs: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Later()] = ()
    projection_bias_rate: Annotated[float, Later()] = Field(1.0, ge=0, le=1000)
    average_share: Annotated[float, Later()] = Field(0.0, ge=0, lt=1)
    kernel: Annotated[Literal["auto", "fused", "eager"], Later()] = "auto"
    quantised: Annotated[SchemeName | None, Later()] = None
    quantised_after: Annotated[float, Later()] = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _possible(self) -> TrainSettings:
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs = {self.warmup_epochs:g} is longer than epochs = {self.epochs}")
        if self.schedule == "wsd" and self.warmup_epochs > self.cooldown_begins + 1e-9:
            raise ValueError(
                f"warmup_epochs = {self.warmup_epochs:g} is longer than what the cooldown leaves of "
                f"epochs = {self.epochs}: {self.cooldown_begins:g}"
            )
        if self.measure_epochs and max(self.measure_epochs) > self.epochs:
            raise ValueError(
                f"measure_epochs = {list(self.measure_epochs)} goes beyond the last of {self.epochs} epochs"
            )
        if self.quantised is None and self.quantised_after:
            raise ValueError(f"quantised_after = {self.quantised_after:g} needs quantised, which says how")
        values = self.quantised and parse_scheme(self.quantised).activations
        if values and values.span != "minmax":
            raise ValueError(f"quantised = {self.quantised!r}: ranges of a batch are minmax in training")
        if self.optimizer != "adam" and self.nesterov and self.momentum == 0:
            raise ValueError("nesterov = true needs a momentum above 0")
        return self

    def measured_after(self, epoch: int) -> bool:
        """Whether measures are taken after so many epochs."""
        every = self.measure_every or self.epochs
        return epoch in (self.epochs, *self.measure_epochs) or epoch % every == 0

    def quantised_in(self, epoch: int) -> Scheme | None:
        """The scheme that an epoch, counted from 0, is trained under."""
        begun = self.quantised is not None and epoch >= int(self.quantised_after * self.epochs)
        return parse_scheme(self.quantised) if begun and self.quantised is not None else None

    @property
    def cooldown_begins(self) -> float:
        """After how many epochs `wsd` begins to lower the rate."""
        return self.epochs * (1 - self.cooldown_share)

    @property
    def average_begins(self) -> float:
        """After how many epochs weights begin to be averaged; after all of them if they never are."""
        return self.epochs * (1 - self.average_share)

    @property
    def shared_epochs(self) -> int:
        """How many of the first epochs have the rate of a longer training: whole ones before `wsd` cools."""
        if self.schedule != "wsd" or self.quantised_after:  # a share of a length that others do not have
            return 0
        return int(min(self.cooldown_begins, self.average_begins) + 1e-9)
