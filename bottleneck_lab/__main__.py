"""`python -m bottleneck_lab`: the same as `bottleneck-lab`."""

from bottleneck_lab.cli import main

if __name__ == "__main__":
    main()
