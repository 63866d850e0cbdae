"""What runs have left, also where it is damaged, foreign, or packed: what is no more than that is named."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from bottleneck_lab.records import files
from bottleneck_lab.records.checksums import altered, is_altered
from bottleneck_lab.records.folder import Status
from bottleneck_lab.records.lenient import (
    Stray,
    json_content,
    json_lines,
    json_object,
    number,
    number_lists,
    numbers,
    refused,
    share,
    stray,
    time,
)
from bottleneck_lab.records.names import CONFIG, CORRECT, ENVIRONMENT, METRICS, PREDICTIONS, RESULT, RUNS
from bottleneck_lab.records.packed import Place


@dataclass(frozen=True)
class Result:
    """What `result.json` says; None for what it does not say, or says as no run would.

    Args:
        whose: the variant, the data set and the seed, as far as it names them.
        status: how the run ended.
        is_altered: whether it says something else than when it was written.
        accuracy, loss, test_accuracy: of the last epoch.
        epochs: how many there were.
        reason: why it failed.
        measures: of the end.
    """

    whose: Mapping[str, object] = field(default_factory=dict)
    status: Status | None = None
    is_altered: bool = False
    accuracy: float | None = None
    loss: float | None = None
    test_accuracy: float | None = None
    epochs: int | None = None
    reason: str | None = None
    measures: dict[str, float] = field(default_factory=dict)


def _result(content: dict[str, Any]) -> Result:
    status, reason, epochs = content["status"], content.get("reason"), number(content.get("epochs"))
    return Result(
        whose={key: content[key] for key in ("variant", "dataset", "seed") if key in content},
        status=status if status in get_args(Status) else None,
        is_altered=is_altered(content),
        accuracy=share(content.get("accuracy")),
        loss=number(content.get("loss")),
        test_accuracy=share(content.get("test_accuracy")),
        epochs=None if epochs is None else int(epochs),
        reason=None if reason is None else str(reason),
        measures=numbers(content.get("measures")),
    )


@dataclass(frozen=True)
class Environment:
    """Where a run was made, and how long it took.

    Args:
        values: all that it says but the times.
        wall_seconds, cpu_seconds: these.
    """

    values: Mapping[str, object]
    wall_seconds: float | None = None
    cpu_seconds: float | None = None

    @property
    def checksums(self) -> dict[str, str]:
        """Of the files of its data, by their names."""
        found = self.values.get("checksums")
        return {name: str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


class Epoch(NamedTuple):
    """What a run has recorded after an epoch; with the first, what its blocks were before training."""

    number: int
    accuracy: float | None
    measures: dict[str, float]
    blocks: dict[str, list[float]]  # measures of each block, first to last
    blocks_at_start: dict[str, list[float]]


class RunFiles:
    """The files of the runs of a results folder.

    Args:
        place: where they lie, as `runs_of` has it.

    `strays` are those that were found damaged or foreign so far: what is in them counts nowhere.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self.strays: set[Stray] = set()
        self._altered: set[str] = set()  # files that are not as their run has left them
        self._epochs: dict[str, list[Epoch]] = {}
        self._distinct: dict[str, Mapping[str, object]] = {}  # of which a thousand runs have one or two

    def is_there(self, run_id: str) -> bool:
        """Whether a run has a folder."""
        try:
            return (self._place / run_id).exists()
        except OSError:  # there may well be something, and it is damaged or not ours to read
            return True

    def read(self, run_id: str) -> tuple[Result | None, Environment]:
        """How a run ended and where it was made; None where it has left no result."""
        content = json_object(self._place, f"{run_id}/{ENVIRONMENT}", self.strays)
        seconds = [time(content.pop(name, None)) for name in ("wall_seconds", "cpu_seconds")]
        values = self._distinct.setdefault(json.dumps(content), content)
        result = json_object(self._place, f"{run_id}/{RESULT}", self.strays)
        if result and "status" not in result:
            self.note(run_id, RESULT, "has no status")
            result = {}
        spoilt = self._look_for_altered(run_id, result)
        environment = Environment({} if ENVIRONMENT in spoilt else values, *seconds)
        return _result(result) if result else None, environment

    def _look_for_altered(self, run_id: str, result: dict[str, Any]) -> set[str]:
        """The files of a run that are not as it has left them; packed ones have sums of their own."""
        if not isinstance(self._place, Path):
            return set()
        spoilt = dict(altered(self._place / run_id, result, thorough=False))
        names = {f"{run_id}/{name}" for name in spoilt}
        self.strays -= {each for each in self.strays if each.file.removeprefix(f"{RUNS}/") in names}
        for name, why in spoilt.items():
            self.note(run_id, name, why)
        self._altered |= names
        return {*spoilt}

    def note(self, run_id: str, name: str, why: str) -> None:
        """Count a file of a run among the strays."""
        self.strays.add(stray(f"{run_id}/{name}", why))

    def epochs(self, run_id: str) -> list[Epoch]:
        """What a run has recorded."""
        if run_id not in self._epochs:
            self._epochs[run_id] = self._read_epochs(run_id)
        return self._epochs[run_id]

    def _read_epochs(self, run_id: str) -> list[Epoch]:
        if f"{run_id}/{METRICS}" in self._altered:
            return []
        records, why = json_lines(self._place / run_id / METRICS)
        found, others = _epochs(records)
        if others:
            why = f"{others} of {len(records)} lines are no records of an epoch"
        if why:
            self.note(run_id, METRICS, why)
        return found

    def correct(self, run_id: str, accuracy: float) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Whether a run of that accuracy is right about each held-out example, bool `[n]`.

        None where it has not said so, or says what does not agree with its accuracy.
        """
        if f"{run_id}/{CORRECT}" in self._altered or (content := self._bytes(run_id, CORRECT)) is None:
            return None
        found = files.booleans(content)
        if found is None or found.size == 0:
            self.note(run_id, CORRECT, "is no vector of true and false")
            return None
        if not math.isclose(np.count_nonzero(found) / found.size, accuracy, abs_tol=1e-6):
            self.note(run_id, CORRECT, "does not agree with the accuracy of the run")
            return None
        return found

    def predicted(self, run_id: str) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        """The class that a run gives each held-out example, uint8 `[n]`; None where it has not said so."""
        if (
            f"{run_id}/{PREDICTIONS}" in self._altered
            or (content := self._bytes(run_id, PREDICTIONS)) is None
        ):
            return None
        if (found := files.classes(content)) is None:
            self.note(run_id, PREDICTIONS, "is no vector of classes")
        return found

    def _bytes(self, run_id: str, name: str) -> bytes | None:
        try:
            return self._place.joinpath(run_id, name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.note(run_id, name, refused(error))
            return None

    def others(self, planned: Collection[str], names: Mapping[str, Collection[str]]) -> int:
        """How many runs of other plans of an ablation there are; what else is there goes to the strays.

        Args:
            planned: the runs of its plan.
            names: what its variants may be called, by data set.
        """
        try:
            entries = sorted(entry.name for entry in self._place.iterdir())
        except FileNotFoundError:
            return 0
        except OSError as error:
            self.strays.add(Stray(RUNS, refused(error)))
            return 0
        count = 0
        for name in (entry for entry in entries if entry not in planned):
            if (why := self._foreign(name, names)) is None:
                count += 1
            else:
                self.strays.add(stray(name, why))
        return count

    def _foreign(self, name: str, names: Mapping[str, Collection[str]]) -> str | None:
        """Why something is no run of this ablation; None where it is one."""
        if not self._place.joinpath(name).is_dir():
            return "is not the folder of a run"
        content, _ = json_content(self._place / name / CONFIG)
        of = content if isinstance(content, dict) else {}
        data, variant = of.get("data"), of.get("variant")
        dataset = data.get("dataset") if isinstance(data, dict) else None
        if not isinstance(variant, str) or not isinstance(dataset, str):
            return f"is not the folder of a run: it has no settings in {CONFIG}"
        if variant not in names.get(dataset, ()):
            return f"is a run of another ablation ({variant} on {dataset})"
        return None


def _epochs(records: Iterable[object]) -> tuple[list[Epoch], int]:
    """The evaluated epochs of a run, and how many records are none."""
    found: list[Epoch] = []
    others = last = 0
    for record in records:
        epoch = record.get("epoch") if isinstance(record, dict) else None
        if not isinstance(record, dict) or type(epoch) is not int or not last < epoch < _MOST_EPOCHS:
            others += 1
            continue
        last = epoch
        told = record.get("accuracy")
        accuracy = share(told)
        others += told is not None and accuracy is None
        blocks = (number_lists(record.get(key)) for key in ("blocks", "blocks_at_start"))
        found.append(Epoch(epoch, accuracy, numbers(record.get("measures")), *blocks))
    return found, others


_MOST_EPOCHS = 10**9
