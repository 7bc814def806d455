"""The faces of the stages: each rule has cost somebody a run that failed on the cluster, or worse, only there."""

import ast
import builtins
from pathlib import Path

import docstring_parser
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PATINA = ROOT / "components" / "patina"
COMPONENTS = sorted(PATINA.glob("*/component.py"))
COMPILED = sorted((ROOT / "manifests" / "compiled").glob("*.yaml"))

STAGES = {"download", "split", "augment", "class_weights", "train", "evaluate", "compare"}
YAML_1_1_BOOLEANS = {"y", "n", "yes", "no", "on", "off", "true", "false"}
SHIPPED = {
    "dsl",
    "kfp",
    "Optional",
    "List",
    "Dict",
    "Any",
    "NamedTuple",
}  # kfp writes `from kfp import dsl`, `from typing import *` above the source


def faults(source: str) -> set[str]:
    """What is wrong with the text of a component.py, in words."""
    tree = ast.parse(source)
    found = set()
    if any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
        # Annotations become strings, which the compiler cannot read.
        found.add("imports from __future__")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if len(functions) != 1:
        return found | {"holds other than one function"}
    function = functions[0]
    decorators = [node for node in function.decorator_list if isinstance(node, ast.Call) and ast.unparse(node.func) == "dsl.component"]
    options = {keyword.arg: ast.unparse(keyword.value) for node in decorators for keyword in node.keywords}
    if options.get("base_image") not in {"DATA", "TORCH"} or options.get("install_kfp_package") != "False" or len(options) != 2:
        # Without these the pod installs packages from the internet as it starts; target_image cannot run without Docker.
        found.add("is not @dsl.component(base_image=DATA or TORCH, install_kfp_package=False)")
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    for argument in arguments:
        if argument.annotation is None or any(
            (isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)) or (isinstance(node, ast.Name) and node.id == "Literal")
            for node in ast.walk(argument.annotation)
        ):
            # `X | None` and Literal raise TypeError in the compiler, or worse, in the pod.
            found.add(f"has an annotation that KFP refuses: {argument.arg}")
        if argument.arg.lower() in YAML_1_1_BOOLEANS:
            # The Go backend reads an unquoted `n` as false ("invalid value for string field"); Python's loader does not show it.
            found.add(f"has a parameter that YAML 1.1 reads as a boolean: {argument.arg}")
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if sum(isinstance(node, ast.stmt) for statement in body for node in ast.walk(statement)) > 12:
        # Logic in a body is logic that no unit test reaches.
        found.add("has a body of more than 12 statements")
    module_names = {name for node in tree.body if node is not function for name in _bound(node)} - SHIPPED
    used = {node.id for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    local = {name for statement in body for node in ast.walk(statement) for name in _bound(node)} | {argument.arg for argument in arguments}
    for name in sorted((used & module_names) - local - set(dir(builtins))):
        # Only the function's source ships: at run time this is a NameError.
        found.add(f"uses a name of its module: {name}")
    return found | _documentation_faults(function, arguments)


def _bound(node: ast.AST) -> set[str]:
    match node:
        case ast.Import() | ast.ImportFrom():
            return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        case ast.Name(ctx=ast.Store()):
            return {node.id}
        case ast.Assign():
            return {target.id for target in node.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name()):
            return {node.target.id}
    return set()


def _documentation_faults(function: ast.FunctionDef, arguments: list[ast.arg]) -> set[str]:
    """The docstring is what people read in the KFP user interface, with one description per parameter."""
    documentation = docstring_parser.parse(ast.get_docstring(function) or "")
    described = {entry.arg_name for entry in documentation.params if entry.description}
    names = {a.arg for a in arguments}
    parameters = {a.arg for a in arguments if a.annotation is not None and not ast.unparse(a.annotation).startswith(("Input[", "Output["))}
    found = {f"does not describe its parameter: {name}" for name in parameters - described}
    found |= {f"describes what is no parameter: {name}" for name in described - names}
    return found if documentation.short_description else found | {"has no docstring"}


GOOD = '''
from kfp import dsl
from kfp.dsl import Dataset, Output
from patina.core.containers import DATA


@dsl.component(base_image=DATA, install_kfp_package=False)
def download(raw: Output[Dataset], seed: int = 0):
    """Reads pictures.

    Args:
        seed: source of all randomness.
    """
    from patina.core.session import session

    with session("download", raw.path):
        raw.metadata.update(seed=seed)
'''


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("from kfp import dsl", "from __future__ import annotations\nfrom kfp import dsl", "imports from __future__"),
        ("base_image=DATA", "base_image='python:3.11'", "is not @dsl.component"),
        ("install_kfp_package=False", "install_kfp_package=False, packages_to_install=['numpy']", "is not @dsl.component"),
        ("seed: int = 0", "seed: int | None = None", "annotation that KFP refuses: seed"),
        ("seed: int = 0", "seed: 'Literal[0, 1]' = 0".replace("'", ""), "annotation that KFP refuses: seed"),
        ("seed", "n", "YAML 1.1 reads as a boolean: n"),
        ("        raw.metadata", "        x = 1\n" * 12 + "        raw.metadata", "more than 12 statements"),
        ("seed=seed)", "image=DATA)", "uses a name of its module: DATA"),
        ("        seed: source of all randomness.", "        sead: source.", "does not describe its parameter: seed"),
        ("        seed: source of all randomness.", "        sead: source.", "describes what is no parameter: sead"),
        ("def download", "def helper():\n    pass\n\n\ndef download", "holds other than one function"),
    ],
)
def test_each_rule_catches_its_accident(old, new, fault):
    assert faults(GOOD) == set()
    assert any(fault in found for found in faults(GOOD.replace(old, new)))


def test_every_stage_has_a_face_and_every_face_a_stage():
    assert {path.parent.name for path in COMPONENTS} == {path.parent.name for path in PATINA.glob("*/stage.py")}
    assert {path.parent.name for path in COMPONENTS} >= STAGES


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.parent.name)
def test_the_face_of_a_stage_keeps_the_rules(path):
    assert faults(path.read_text()) == set()


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.parent.name)
def test_a_component_is_named_like_its_folder(path):
    # Logs, run folders and the user interface show the function's name.
    assert [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)] == [path.parent.name]


def names_in(specification, under=""):
    """Every key of the specification and every value that refers to one."""
    if isinstance(specification, dict):
        for key, value in specification.items():
            yield key
            yield from names_in(value, key)
    elif isinstance(specification, list):
        for value in specification:
            yield from names_in(value, under)
    elif under in {"componentInputParameter", "parameterName", "outputParameterKey", "outputArtifactKey", "componentInputArtifact"}:
        yield specification


def test_no_name_in_a_compiled_pipeline_is_a_boolean_to_the_backend():
    # YAML 1.1 words are unquoted in the file: a safe loader of YAML 1.1 shows what Go would read.
    assert COMPILED, "manifests/compiled holds no pipeline"
    for path in COMPILED:
        names = {name for document in yaml.safe_load_all(path.read_text()) for name in names_in(document)}
        assert names
        assert not [name for name in names if not isinstance(name, str) or name.lower() in YAML_1_1_BOOLEANS], path.name
