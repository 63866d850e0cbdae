"""Fig. 7: how many channels are positive after each expansion of a network."""
