"""Run folders, jobs, locks, provenance; and running an ablation to its end."""
