"""Settings of the evaluate stage."""

from pydantic import Field

from patina.core.config import Config


class EvaluateConfig(Config):
    """How test pictures are read and judged."""

    overlap: float = Field(default=0.125, ge=0, le=0.75)
    """Share of a window that it has in common with its neighbour. More is smoother at the seams and slower: 0.125 costs 1.3
    times the pixels of the picture, 0.25 1.8 times, 0.5 (nnU-Net's choice, Isensee et al. 2021) 4 times."""
    batch: int = Field(default=8, ge=1, le=256)
    """Windows that go through the model at once."""
    calibration_bins: int = Field(default=15, ge=2, le=100)
    """Confidence bins of equal width for the reliability figures; 15 as in Guo et al. 2017 (arXiv 1706.04599)."""
    boundary_tolerance: float = Field(default=0.0075, gt=0, le=0.1)
    """How far a predicted outline may lie from the true one, as a share of the picture's diagonal (Csurka et al., BMVC 2013)."""
    examples: int = Field(default=6, ge=0, le=24)
    """Pictures whose input, truth and prediction are kept as small views for the report. They are chosen by the truth
    alone, so that every model shows the same ones."""
    extremes: int = Field(default=4, ge=0, le=30)
    """Best and worst pictures to show, this many of each."""
    view_size: int = Field(default=360, ge=64, le=1024)
    """Longer side of the small views in pixels."""
