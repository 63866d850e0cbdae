"""The one look of every figure: style, letters, lines."""
