"""Many claims at once: rules of their verdicts, at the end or after planned looks."""
