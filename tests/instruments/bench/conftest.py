from networks import lived_in, mobilenet, run, toy

__all__ = ["lived_in", "mobilenet", "run", "toy"]
