"""What `import bottleneck_lab` offers, and the command line builds on: running, reading, looking."""
