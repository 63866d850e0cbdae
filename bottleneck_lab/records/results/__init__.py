"""What lies at the top of a results folder: its plan, its summary, its table; and where such folders are."""
