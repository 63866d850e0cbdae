"""What the files of a results folder and of a run are called."""

from __future__ import annotations

# Of a results folder, of one ablation and tier.
PLAN = "plan.json"  # what makes a folder one of results
SUMMARY = "summary.json"
TABLE = "results.csv"
RUNS = "runs"  # the folder of the runs
PACKED = "runs.zip"  # or what they are packed in

# Of a run.
CONFIG = "config.json"
ENVIRONMENT = "environment.json"
METRICS = "metrics.jsonl"
PREDICTIONS = "predictions.npy"
CORRECT = "correct.npy"
WEIGHTS = "weights.pt"
RESULT = "result.json"
ERROR = "error.txt"
