"""What runs leave on disk: how it is written, where it lies, and whether it is as it was left."""
