"""Commands that measure something of their own."""
