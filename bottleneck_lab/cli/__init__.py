"""The commands: parse, call, print. Whatever is slow to import is imported by the command that needs it."""
