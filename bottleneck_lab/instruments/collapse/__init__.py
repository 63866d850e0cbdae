"""Fig. 1 and Theorem 1 as a measurement: what ReLU loses of a manifold in few channels."""
