"""What an evaluation found, and its JSON form."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from toonfilter.benchmarks.quality.bootstrap import Estimate
from toonfilter.benchmarks.quality.measures import Columns
from toonfilter.benchmarks.quality.thresholds import Verdict

FORMAT = "toonfilter evaluation 1"


@dataclass(slots=True)
class ModelReport:
    """One model's figures.

    measured and missing: by measure key; missing says in words what is not there. groups: by group name, label and
    measure key. columns: the figures of every picture. problems: results that are not there or cannot be read.
    """

    name: str
    kind: str
    measured: dict[str, Estimate] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, Estimate | str]]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    columns: Columns = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """unreadable: source pictures that could not be read. unpaired: those without a usable target.

    faceless: those without a face, which the class measures leave out.
    """

    unreadable: Sequence[str] = ()
    unpaired: Sequence[str] = ()
    faceless: Sequence[str] = ()


@dataclass(slots=True)
class Evaluation:
    """Several models on the same pictures.

    keys: names of the pictures, the rows of every column.
    notes: what else a reader must know. titles: of measures, by key. sections: heading and measure keys, in the order
    of the report. training: see `training_log.TrainingLog.summary`.
    """

    source: str
    keys: list[str]
    models: list[ModelReport]
    left_out: LeftOut = LeftOut()
    missing_groups: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    sections: dict[str, list[str]] = field(default_factory=dict)
    training: dict[str, dict[str, float]] = field(default_factory=dict)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything but the single pictures, as plain lists, objects, numbers and null."""
        return {
            "format": FORMAT,
            "source": self.source,
            "pictures": len(self.keys),
            "unreadable": list(self.left_out.unreadable),
            "without_target": list(self.left_out.unpaired),
            "without_face": list(self.left_out.faceless),
            "missing_groups": self.missing_groups,
            "notes": self.notes,
            "titles": self.titles,
            "training": self.training,
            "cpu_s": round(self.cpu_s, 1),
            "wall_s": round(self.wall_s, 1),
            "models": [_model_json(model) for model in self.models],
        }


def _model_json(model: ModelReport) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "measured": {key: _estimate_json(value) for key, value in model.measured.items()},
        "missing": model.missing,
        "groups": {
            group: {
                label: {key: _estimate_json(value) for key, value in figures.items()}
                for label, figures in labels.items()
            }
            for group, labels in model.groups.items()
        },
        "thresholds": [
            {
                "measure": verdict.threshold.key,
                "must": verdict.threshold.must,
                "reached": _number(verdict.reached),
                "passed": verdict.passed,
            }
            for verdict in model.verdicts
        ],
        "problems": model.problems,
        "without_source": model.unused,
    }


def _estimate_json(found: Estimate | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"missing": found}
    return {
        "value": _number(found.value),
        "low": _number(found.low),
        "high": _number(found.high),
        "count": found.count,
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)
