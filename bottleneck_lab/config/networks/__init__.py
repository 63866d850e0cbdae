"""Networks as settings: their tables, and what may be said of each."""
