"""Reading what a results folder holds."""
