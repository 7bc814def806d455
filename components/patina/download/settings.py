"""Settings of the download stage."""

from pydantic import Field

from patina.core.config import Config


class DownloadSettings(Config):
    """What the download stage accepts."""

    max_quarantined: int = Field(default=0, ge=0)
    """Broken rows (truncated picture, missing mask, too many pixels) that may be left out before the stage fails. They are
    named in the report."""
    max_pixels: int = Field(default=300_000_000, ge=1, le=2_000_000_000)
    """Largest picture in pixels; decoding takes 4 bytes for each, the mask 1 more. ARTeFACT's largest has 133 million."""
