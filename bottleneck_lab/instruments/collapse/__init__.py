"""Fig. 1 and Theorem 1 as a measurement: what ReLU loses of a manifold in few channels."""

OF_EVERY_REPORT = ("collapse-panels", "collapse-share")  # its figures that stand in all reports
