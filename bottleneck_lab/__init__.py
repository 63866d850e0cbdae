"""Experiments on linear bottlenecks: is a projection without ReLU better, where, and why?

The idea under test is Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks"
(arXiv 1801.04381). `run-ablation linear_vs_relu` is the place to start.
"""

__version__ = "0.1.0"
