"""What each training asks of the cluster: its node pool, accelerator, CPU and memory.

Every value is a string, or a map or list of strings: numbers inside a loop item arrive as floats on the backend.
"""

from typing import Any, Literal

from pydantic import Field

from patina.core.config import Config
from patina.models.architectures import Architecture, family

PoolSet = Literal["cpu", "gpu"]

ACCELERATOR = "nvidia.com/gpu"
POOL_LABEL = "patina.io/pool"
DATA_CPU = "2"
DATA_MEMORY = "8Gi"


class Pool(Config):
    """Where one training runs. The defaults run on any cluster, without accelerators."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that the node must carry."""
    tolerations: list[dict[str, str]] = Field(default_factory=list)
    """Taints that the pod accepts."""
    accelerator_type: str = ACCELERATOR
    """Name of the extended resource."""
    accelerator_count: str = "0"
    """How many accelerators; "0" trains on the CPU."""
    cpu: str = "4"
    """CPU cores, also the number of compute threads."""
    memory: str = "16Gi"
    """Memory, in Kubernetes' notation."""


def pool(architecture: Architecture, pools: PoolSet) -> Pool:
    """The default pool of `architecture`: none in particular (`cpu`), or one GPU node pool per encoder family (`gpu`)."""
    if pools == "cpu":
        return Pool()
    return Pool(
        node_selector={POOL_LABEL: f"gpu-{family(architecture)}"},
        tolerations=[{"key": ACCELERATOR, "operator": "Exists", "effect": "NoSchedule"}],
        accelerator_count="1",
        cpu="8",
        memory="32Gi",
    )


def loop_item(architecture: Architecture, where: Pool) -> dict[str, Any]:
    """One item of the training loop, as the pipeline parameter `architectures` lists them."""
    return {"architecture": architecture, **where.model_dump()}
