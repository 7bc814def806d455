"""What each training asks of the cluster: its node pool, accelerator, CPU and memory.

Every value is a string, or a map or list of strings: numbers inside a loop item arrive as floats on the backend.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from patina.core.config import Config, parse
from patina.core.errors import UsageError
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


def pools(architectures: Iterable[Architecture], asked: str) -> list[dict[str, Any]]:
    """The pipeline parameter `architectures` for a cluster.

    Args:
        architectures: what to train.
        asked: `cpu`, `gpu`, or JSON (the text, or the path of a file): one pool for all, or one per architecture.

    Raises:
        UsageError: neither of them, an unknown key, or an architecture without a pool.
    """
    if asked in get_args(PoolSet):
        return [loop_item(name, pool(name, "gpu" if asked == "gpu" else "cpu")) for name in architectures]
    try:
        text = asked if asked.lstrip().startswith("{") else Path(asked).read_text()
        content = json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"--pool expects cpu, gpu, a JSON object or the path of one, got {asked!r:.80} ({error}).") from error
    if not isinstance(content, dict):
        raise UsageError(f"--pool: expected a JSON object, got {text!r:.80}.")
    names = list(architectures)
    if set(content) <= set(Pool.model_fields):
        return [loop_item(name, parse(Pool, text, "--pool")) for name in names]
    if missing := [name for name in names if name not in content]:
        raise UsageError(f"--pool names no pool for {', '.join(missing)}. Give each architecture its own, or one pool for all.")
    return [loop_item(name, parse(Pool, json.dumps(content[name]), f"--pool: {name}")) for name in names]
