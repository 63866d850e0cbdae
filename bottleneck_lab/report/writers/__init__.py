"""One document as HTML, Markdown and LaTeX."""
