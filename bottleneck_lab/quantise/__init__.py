"""Networks in few bits: which grids weights and activations are rounded to, and what that costs.

`scheme` has the names, `ranges` and `grids` choose the numbers, `rounded` computes with a network so
rounded, `integers` does the same with 8-bit integers, and `aware` rounds while a network is trained. Knows
nothing of runs.

torch's own quantisers were looked at first. `torch.ao.quantization` and quantised tensors are deprecated
(torch 2.13 says so when they are used), and torchao's observers have no unsigned grid for signed values, no
percentile and no search by mean squared error for a tensor. What is used of torch is its fake quantisers
(`torch.fake_quantize_per_tensor_affine` and its kin), which are part of the core and carry the
straight-through gradient, and, to check, its integer kernels.
"""
