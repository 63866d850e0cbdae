"""One ablation from its data to its report, for whoever is told of it."""
