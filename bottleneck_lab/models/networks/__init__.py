"""The networks: a module each, made of the blocks."""
