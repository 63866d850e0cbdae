"""Where what can be made or fetched again is kept between commands."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return where downloads and kernels are kept: $BOTTLENECK_LAB_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("BOTTLENECK_LAB_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("bottleneck-lab", appauthor=False)
