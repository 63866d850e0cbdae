"""Whether figures can be drawn here at all."""

from __future__ import annotations

from bottleneck_lab.errors import LabError


def check_drawing() -> None:
    """Draw a little before anything long is begun, so that what is wrong with it shows in time.

    Raises:
        LabError: matplotlib cannot be used, as with a damaged matplotlibrc.
    """
    try:
        from bottleneck_lab.report.drawing.style import drawn_bytes, styled, subplots

        with styled():
            figure, _ = subplots(figsize=(1, 1))
        drawn_bytes(figure)
    except Exception as error:  # whatever it stumbles over, the figures at the end would do so, too
        raise LabError(
            f"matplotlib cannot draw here, and figures are to be drawn ({type(error).__name__}: {error}); "
            "mend or remove your matplotlibrc (in this folder, in $MATPLOTLIBRC, or in ~/.config/matplotlib)"
        ) from error
