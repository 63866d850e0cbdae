"""Time and memory on this machine, of inference (Sec. 5) and of training."""
