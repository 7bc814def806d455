"""Settings of the class_weights stage."""

from pydantic import Field

from patina.core.config import Config


class ClassWeightSettings(Config):
    """How counts become weights."""

    max_ratio: float | None = Field(default=1000.0, ge=1)
    """Largest weight / smallest weight; rarer classes share the largest. Null: no limit. ARTeFACT's rarest class has 62,000 times
    fewer pixels than Clean: unlimited inverse weights would let a few hundred pixels decide the loss."""
