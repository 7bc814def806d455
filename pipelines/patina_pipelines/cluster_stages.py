"""What a run on a cluster is doing, in the words of the pipeline: the backend lists nodes of its workflow engine.

Nodes have names like `train`, `train-driver`, `executor`, `iteration-item(1:1)`, and name their followers by id. A stage is a node that
bears the name of a task of the pipeline; its pod is the last `executor` after it; in the loop, the nearest iteration before it says
which training it is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kfp_server_api import V2beta1PipelineTaskDetail, V2beta1Run

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
"""States of a run that never change again."""
_ITERATION = re.compile(r"iteration(?:-item)?\D*(\d+)")
_POD = "executor"


@dataclass(frozen=True)
class Names:
    """Names of the tasks in a compiled pipeline that run a pod."""

    once: frozenset[str]
    looped: frozenset[str]
    """Those inside a loop."""


@dataclass(frozen=True)
class Stage:
    """A stage of a run on a cluster, as far as the backend tells."""

    name: str
    iteration: int | None
    """Position in the loop; None outside of it, or if the backend does not tell."""
    state: str
    reason: str
    """The backend's own words on a failure, often empty."""
    pod: str
    """Id of the node that is its pod, or empty."""

    def pods(self) -> list[str]:
        """Names that its pod may have: a node's id with the name of a template in it, of which KFP has one with retries and one without."""
        workflow, _, number = self.pod.rpartition("-")
        templates = ("retry-system-container-impl", "system-container-impl")
        return [*(f"{workflow}-{template}-{number}" for template in templates), self.pod] if self.pod else []

    def label(self, items: list[dict[str, Any]]) -> str:
        """The name with the architecture of its iteration: `items` is the pipeline parameter `architectures`."""
        if self.iteration is None or self.iteration >= len(items):
            return self.name
        return f"{self.name} ({items[self.iteration].get('architecture')})"


def names(spec: Mapping[str, Any]) -> Names:
    """Reads the task names from a compiled pipeline's first document."""
    components = spec["components"]
    once: set[str] = set()
    looped: set[str] = set()

    def visit(dag: Mapping[str, Any], inside: bool) -> None:
        for name, task in dag["tasks"].items():
            component = components[task["componentRef"]["name"]]
            if "dag" in component:
                visit(component["dag"], inside or "parameterIterator" in task or "artifactIterator" in task)
            else:
                (looped if inside else once).add(name)

    visit(spec["root"]["dag"], False)
    return Names(frozenset(once), frozenset(looped))


def stages(run: V2beta1Run, known: Names) -> list[Stage]:
    """The stages of `run` that have begun, in the order in which they did."""
    tasks: list[V2beta1PipelineTaskDetail] = list((run.run_details and run.run_details.task_details) or ())
    by_id = {task.pod_name: task for task in tasks if task.pod_name}
    before: dict[str, list[str]] = {}
    for task in tasks:
        for child in _children(task):
            before.setdefault(child, []).append(task.pod_name or "")
    found = []
    for task in sorted(tasks, key=lambda task: str(task.start_time or task.create_time or "")):
        name = task.display_name or ""
        if name not in known.once and name not in known.looped:
            continue
        pods = _pods(task, by_id)
        state = _state(task)
        if state == "RUNNING" and pods and _state(pods[-1]) == "PENDING":
            state = "PENDING"
        iteration = _iteration(task.pod_name or "", by_id, before) if name in known.looped else None
        reason = next((text for text in map(_reason, (*reversed(pods), task)) if text), "")
        found.append(Stage(name, iteration, state, reason, (pods[-1].pod_name or "") if pods else ""))
    return found


def failed(found: Iterable[Stage]) -> list[Stage]:
    """The stages that ended badly."""
    return [stage for stage in found if stage.state == "FAILED"]


def _pods(task: V2beta1PipelineTaskDetail, by_id: Mapping[str, V2beta1PipelineTaskDetail]) -> list[V2beta1PipelineTaskDetail]:
    """The nodes of a stage's pod: `executor`, and after it one `executor(n)` per attempt where the stage may be tried again."""
    found: list[V2beta1PipelineTaskDetail] = []
    front = [task]
    while front:
        children = [by_id[child] for node in front for child in _children(node) if child in by_id]
        front = [child for child in children if str(child.display_name).startswith(_POD) and child not in found]
        found += front
    return found


def _children(task: V2beta1PipelineTaskDetail) -> list[str]:
    return [child.pod_name for child in task.child_tasks or () if child.pod_name]


def _state(task: V2beta1PipelineTaskDetail) -> str:
    return str(task.state or "PENDING")


def _reason(task: V2beta1PipelineTaskDetail) -> str:
    errors = [task.error, *(status.error for status in reversed(task.state_history or ()))]
    return next((" ".join(error.message.split()) for error in errors if error is not None and error.message), "")


def _iteration(start: str, by_id: Mapping[str, V2beta1PipelineTaskDetail], before: Mapping[str, list[str]]) -> int | None:
    """The number in the name of the nearest iteration that leads to the node `start`."""
    seen, front = {start}, [start]
    while front:
        for node in front:
            match = _ITERATION.match(str(by_id[node].display_name)) if node in by_id else None
            if match:
                return int(match[1])
        front = list(dict.fromkeys(parent for node in front for parent in before.get(node, ()) if parent not in seen))
        seen.update(front)
    return None
