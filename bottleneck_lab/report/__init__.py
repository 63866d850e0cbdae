"""Tables and figures, made from what is on disk; nothing here trains."""
