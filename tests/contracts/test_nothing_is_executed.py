"""The contract of what is read: no source file unpickles, evaluates or hands to a shell what it has read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_structure import PACKAGES, ROOT, SOURCES

SHIPPED = [file for file in SOURCES if file.parts[0] in PACKAGES]
MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "code",
    "codeop",
    "pty",
}
BUILT_IN = {"eval", "exec", "compile", "__import__"}
CALLS = {
    "os.system": "a shell",
    "os.popen": "a shell",
    "subprocess.getoutput": "a shell",
    "subprocess.getstatusoutput": "a shell",
    "yaml.unsafe_load": "objects from YAML",
    "yaml.unsafe_load_all": "objects from YAML",
    "yaml.full_load": "objects from YAML",
    "yaml.full_load_all": "objects from YAML",
    "torch.jit.load": "code in an archive",
    "torch.package.PackageImporter": "code in an archive",
    "torch.hub.load": "code of a repository",
    "torch.serialization.add_safe_globals": "more types past weights_only",
    "torch.serialization.safe_globals": "more types past weights_only",
    "pandas.read_pickle": "a pickle",
    "runpy.run_path": "a file's code",
}
# What may differ from the rule, by file, and why.
ALLOWED: dict[str, dict[str, str]] = {
    "trainers/inference/formats.py": {
        "torch.jit.load(): code in an archive": "the file that the same command has just written, to compare"
    },
}


def forbidden(source: str) -> Iterator[str]:
    """Each place of a source that could run what it reads, as ``line: what``."""
    tree = ast.parse(source)
    names = _imported(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                found = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module), names=aliases):
                found = [module, *(f"{module}.{alias.name}" for alias in aliases)]
            case ast.Call():
                if (why := _call(_dotted(node.func, names), node)) is not None:
                    yield f"{node.lineno}: {why}"
                continue
            case _:
                continue
        yield from (f"{node.lineno}: imports {name}" for name in found if MODULES & set(name.split(".")))


def _imported(tree: ast.AST) -> dict[str, str]:
    """Names of imports in a source to what they stand for: ``np`` to ``numpy``."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """``torch.load`` of a call's function; an unknown object before the dot is empty."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    return f"{_dotted(node.value, names)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def _call(name: str, node: ast.Call) -> str | None:
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if name in BUILT_IN:
        return f"{name}()"
    if name in CALLS:
        return f"{name}(): {CALLS[name]}"
    if name == "torch.load" and given.get("weights_only") != "True":
        return "torch.load() without weights_only=True"
    if name in ("torch.hub.load_state_dict_from_url", "torch.utils.model_zoo.load_url"):
        return None if given.get("weights_only") == "True" else f"{name}() without weights_only=True"
    if name in ("numpy.load", "numpy.lib.format.read_array") and given.get("allow_pickle", "False") != "False":
        return f"{name}() with allow_pickle"
    if name in ("yaml.load", "yaml.load_all") and not _is_safe(given.get("Loader")):
        return f"{name}() without a safe loader"
    if given.get("shell", "False") != "False":
        return f"{name}() with shell"
    return None


def _is_safe(loader: str | None) -> bool:
    return loader in ("yaml.SafeLoader", "yaml.CSafeLoader", "SafeLoader", "CSafeLoader", "_Loader")


@pytest.mark.parametrize("file", SHIPPED, ids=str)
def test_no_file_runs_what_it_reads(file: Path) -> None:
    allowed = ALLOWED.get(str(file), {})
    found = [place for place in forbidden((ROOT / file).read_text()) if place.split(": ", 1)[1] not in allowed]
    assert found == []


def test_the_loader_of_yaml_is_a_safe_one() -> None:
    """What `_is_safe` believes of a class that is called ``_Loader``."""
    named = [file for file in SHIPPED if "class _Loader(" in (ROOT / file).read_text()]
    assert named == [Path("orchestrator/space/yaml_text.py")]
    assert "class _Loader(yaml.SafeLoader):" in (ROOT / named[0]).read_text()


@pytest.mark.parametrize(
    "source",
    [
        "import torch; torch.load(path)",
        "from torch import load; load(path, weights_only=False)",
        "import torch as t; t.load(path, weights_only=flag)",
        "import pickle",
        "import multiprocessing, cloudpickle as cp",
        "from ray import cloudpickle",
        "from ray.cloudpickle import loads",
        "from marshal import loads",
        "def f():\n    import shelve",
        "import joblib.externals",
        "import numpy as np; np.load(path, allow_pickle=True)",
        "import yaml; yaml.load(text, yaml.UnsafeLoader)",
        "import yaml; yaml.load(text, Loader=yaml.FullLoader)",
        "from yaml import unsafe_load as read; read(text)",
        "eval(text)",
        "exec(text)",
        "compile(text, 'x', 'exec')",
        "__import__(name)",
        "import os; os.system('ls')",
        "from os import popen; popen('ls')",
        "import subprocess; subprocess.run('ls', shell=True)",
        "from subprocess import Popen; Popen('ls', shell=yes)",
    ],
)
def test_it_is_found(source: str) -> None:
    assert len(list(forbidden(source))) >= 1


def test_what_only_looks_like_it_is_not() -> None:
    source = (
        "import torch, re, subprocess, numpy as np, yaml\nnet.eval(); re.compile('x'); model.compile()\n"
        "torch.load(p, map_location='cpu', weights_only=True); np.load(p); np.load(p, allow_pickle=False)\n"
        "yaml.safe_load(t); yaml.load(t, Loader=yaml.SafeLoader); subprocess.run(['ls'], shell=False); json.load(f)\n"
    )
    assert list(forbidden(source)) == []
