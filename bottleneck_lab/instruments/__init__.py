"""Instruments: each measures something, leaves it as a record, and draws and prints what is in that."""
