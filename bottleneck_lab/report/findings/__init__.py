"""From what runs have left to numbers and verdicts."""
