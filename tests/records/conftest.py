from results_by_hand import leave_runs, leave_runs_in, planned_before

__all__ = ["leave_runs", "leave_runs_in", "planned_before"]
