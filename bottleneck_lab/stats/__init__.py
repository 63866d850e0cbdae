"""Paired contrasts over seeds, their intervals and tests, and the rules that turn them into verdicts.

Everything is a pure function of numbers; nothing here knows of networks, runs or files.
"""

from bottleneck_lab.stats.bootstrap import bootstrap_examples
from bottleneck_lab.stats.contrasts import paired_contrast
from bottleneck_lab.stats.families.betting import betting_interval, betting_p
from bottleneck_lab.stats.families.evidence import Claimed, Look, far_from_normal
from bottleneck_lab.stats.families.judgement import (
    Judgement,
    Kind,
    Question,
    Verdict,
    judge,
    not_judged,
    seeds_to_decide,
)
from bottleneck_lab.stats.families.looks import (
    decide_family,
    judge_family,
    planned_looks,
    seeds_for_verdict,
)
from bottleneck_lab.stats.families.planning import detectable_effect, seeds_needed
from bottleneck_lab.stats.intervals import (
    Interval,
    accuracy_band,
    accuracy_interval,
    mean_band,
    mean_interval,
)
from bottleneck_lab.stats.significance import beyond_margin_test, equivalence_test, holm, t_test
from bottleneck_lab.stats.welch import welch

__all__ = [
    "Claimed",
    "Interval",
    "Judgement",
    "Kind",
    "Look",
    "Question",
    "Verdict",
    "accuracy_band",
    "accuracy_interval",
    "betting_interval",
    "betting_p",
    "beyond_margin_test",
    "bootstrap_examples",
    "decide_family",
    "detectable_effect",
    "equivalence_test",
    "far_from_normal",
    "holm",
    "judge",
    "judge_family",
    "mean_band",
    "mean_interval",
    "not_judged",
    "paired_contrast",
    "planned_looks",
    "seeds_for_verdict",
    "seeds_needed",
    "seeds_to_decide",
    "t_test",
    "welch",
]
