"""Published results: packed, verified, drawn again, listed."""
