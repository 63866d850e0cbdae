"""How far channels reach on the grids of few bits, as `quantise` leaves it."""
