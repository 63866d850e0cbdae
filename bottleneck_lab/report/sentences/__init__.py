"""Numbers, settings and verdicts as people read them."""
