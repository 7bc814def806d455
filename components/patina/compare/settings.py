"""Settings of the compare stage."""

from pydantic import Field

from patina.core.config import Config


class CompareConfig(Config):
    """How models are compared."""

    replicates: int = Field(default=2000, ge=100, le=100_000)
    """Resamples of the test groups; 2000 settle a 95 % bound to about a twentieth of the interval's width."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Share of the resamples that an interval covers."""
    least_groups: int = Field(default=6, ge=2)
    """Below this many groups of related test pictures no interval is given: with five, even if one model is better on every one,
    a fair coin does as much in 2 x 0.5^5 = 6 % of cases; with six in 3 %."""
    few_pictures: int = Field(default=20, ge=1)
    """Below this many test pictures the report warns."""
    few_groups: int = Field(default=10, ge=1)
    """Below this many groups of related test pictures the report warns: the intervals themselves become rough."""
    few_validation: int = Field(default=8, ge=0)
    """Below this many validation pictures the report warns: the best epoch was chosen on them."""
    report_bytes: int = Field(default=3_500_000, ge=100_000)
    """Examples are left out of the report when their pictures would take more than this."""
