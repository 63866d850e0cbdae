"""Commands on ablations before they are run: list, describe, new; and how far they are."""
