"""Settings of the class_weights stage."""

from pydantic import Field

from patina.core.config import Config


class ClassWeightSettings(Config):
    """How counts become weights."""

    max_ratio: float | None = Field(default=1000.0, ge=1)
    """Largest weight / smallest weight, 1 or more; rarer classes share the largest. Null: no limit. ARTeFACT's rarest class has
    62,000 times fewer pixels than Clean: unlimited inverse weights would let a few hundred pixels decide the loss."""
    log_ratio: float = Field(default=36.0, ge=1)
    """Scheme `log`: weight of the rarest class / weight of the most frequent one, 1 or more. The predecessor's table had 36."""
    beta: float = Field(default=0.99, gt=0, lt=1)
    """Scheme `effective`: beta of Cui et al. 2019, above 0 and below 1. More than 1 / (1 - beta) pictures of a class add next to
    nothing: 100 pictures, for data of some hundreds. The paper's 0.999 and 0.9999 belong to thousands of samples per class."""
