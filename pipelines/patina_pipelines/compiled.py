"""From pipeline functions to the committed YAML, and back to what a local run executes."""

import copy
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from patina.core import containers
from patina.core.errors import UsageError
from patina_pipelines import compile_options
from patina_pipelines.compile_options import CompileOptions

if TYPE_CHECKING:
    from kfp.dsl.graph_component import GraphComponent

_DEFAULT_COMMENT = re.compile(r"^(# +\w+: (?:list|dict)) \[Default: .*\]$", re.MULTILINE)

PIPELINES: tuple[str, ...] = ("benchmark",)
DEFAULT = CompileOptions()
"""Options of the committed files."""


def pipeline(name: str) -> "GraphComponent":
    """The pipeline called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    match name:
        case "benchmark":
            from patina_pipelines.benchmark import benchmark

            return cast("GraphComponent", benchmark)  # what the decorator makes of the function
        case _:
            raise UsageError(f"unknown pipeline {name!r}. Pipelines: {', '.join(PIPELINES)}.")


def compile_pipeline(name: str, path: Path, options: CompileOptions = DEFAULT, images: Mapping[str, str] | None = None) -> None:
    """Writes the YAML of pipeline `name` with `options` to `path`; `images` as in `use_images`."""
    from kfp.compiler import Compiler

    component = copy.deepcopy(pipeline(name))
    compile_options.lay_over(component, options)
    if images:
        use_images(component, images)
    Compiler().compile(component, str(path))
    # kfp prints default lists and maps into the header comment in an order that changes from process to process
    path.write_text(_DEFAULT_COMMENT.sub(r"\1", path.read_text()))


def compile_all(folder: Path, options: CompileOptions = DEFAULT, images: Mapping[str, str] | None = None) -> list[Path]:
    """Writes every pipeline's YAML into `folder`; returns the paths. Options and images as in `compile_pipeline`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.yaml" for name in PIPELINES]
    for name, path in zip(PIPELINES, paths, strict=True):
        compile_pipeline(name, path, options, images)
    return paths


def stale(folder: Path) -> list[str]:
    """Names of the YAML files in `folder` that differ from what the code compiles to, or are missing or left over."""
    with tempfile.TemporaryDirectory() as fresh_name:
        fresh = {path.name: path.read_bytes() for path in compile_all(Path(fresh_name))}
    committed = {path.name: path.read_bytes() for path in folder.glob("*.yaml")}
    return sorted(name for name in {*fresh, *committed} if fresh.get(name) != committed.get(name))


def use_images(component: "GraphComponent", images: Mapping[str, str]) -> None:
    """Replaces image references in the compiled specification of `component`.

    Args:
        component: a pipeline; changed in place.
        images: reference in the code (`patina.core.containers`) -> reference to run.
    """
    for executor in component.pipeline_spec.deployment_spec["executors"].values():
        container = executor["container"]
        container["image"] = images[container["image"]]


def local_images(source_digest: str) -> dict[str, str]:
    """Image references of a local run: the source's digest stands in them because kfp.local's cache key sees no code."""
    return {image: f"{image}-python-{source_digest[:16]}" for image in (containers.DATA, containers.TORCH)}
