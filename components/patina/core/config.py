"""One configuration system: strict pydantic models, read from JSON, changed by `key.path=value` overrides."""

import difflib
import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from patina.core.errors import UsageError


class Config(BaseModel):
    """Base of every configuration and on-disk record: immutable, no unknown key, no silent conversion, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


ConfigType = TypeVar("ConfigType", bound=BaseModel)


def parse(model: type[ConfigType], text: str, where: str) -> ConfigType:
    """Reads one `model` from the JSON `text`.

    Raises:
        UsageError: not JSON, an unknown key, a wrong type or range; the message starts with `where` and the key's path.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"{where}: {explain(model, error)}") from error


def override(config: ConfigType, changes: Mapping[str, Any], where: str) -> ConfigType:
    """A copy of `config` with `changes` applied: dotted key path -> JSON value.

    Raises:
        UsageError: an unknown key (the nearest valid keys are named) or a value of the wrong type or range.
    """
    content = json.loads(config.model_dump_json())
    for path, value in changes.items():
        *parents, leaf = path.split(".")
        place: dict[str, Any] = content
        for depth, key in enumerate((*parents, leaf)):
            if key not in place:
                raise UsageError(f"{where}: unknown key {path!r}. {_nearest(path, key_paths(type(config)))}")
            if depth < len(parents):
                inner = place[key]
                place = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
        place[leaf] = value
    return parse(type(config), json.dumps(content), where)


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """Turns `key.path=value` strings into a mapping; a value is JSON, or else the plain string.

    Raises:
        UsageError: an assignment without `=`.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key:
            raise UsageError(f"--set expects key=value, got {assignment!r}. Example: --set train.epochs=10")
        try:
            changes[key] = json.loads(value)
        except ValueError:
            changes[key] = value
    return changes


def key_paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every dotted key path of `model`, nested models included."""
    paths: list[str] = []
    for name, field in model.model_fields.items():
        nested = _model_in(field.annotation)
        paths.append(prefix + name)
        if nested is not None:
            paths.extend(key_paths(nested, f"{prefix}{name}."))
    return paths


def explain(model: type[BaseModel], error: ValidationError) -> str:
    """One line for the first fault in `error`: the key's path, what came, what was expected."""
    fault = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in fault["loc"]) or "the text"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {path!r}. {_nearest(path, key_paths(model))}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}: {fault['msg']}, got {fault['input']!r:.80}{more}"


def _nearest(path: str, valid: list[str]) -> str:
    close = difflib.get_close_matches(path, valid, n=3, cutoff=0.4)
    parent = path.rpartition(".")[0]
    siblings = [key for key in valid if key.rpartition(".")[0] == parent]
    return f"Did you mean: {', '.join(close)}?" if close else f"Valid keys: {', '.join(siblings or valid)}."


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
