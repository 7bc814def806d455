"""The networks of the benchmark. `architectures` names them without torch; `build` and `load` make them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patina.models.network import build, load

__all__ = ["build", "load"]


def __getattr__(name: str) -> Any:
    """Imports torch only for whoever asks for a network: the command line reads `architectures` alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from patina.models import network

    return getattr(network, name)
