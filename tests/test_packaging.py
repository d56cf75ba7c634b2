"""The wheel: what is in it, and that it runs where there is no checkout."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("orchestrator", "trainers", "search_spaces", "cluster")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of `command`, without anything that leads Python back to the checkout."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, tests and all, so that neither an old build/ folder nor the checkout plays a part."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for room in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / room, source / room, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; everything else comes from this one's site-packages.

    A plain line in a .pth file adds a folder without reading the .pth files in it: an editable install there has
    no effect.
    """
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, symlinks=True)
    run(sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "-q", "--no-index", "--no-deps",
        wheel, cwd=home)  # fmt: skip
    (site,) = home.glob("lib/python3.*/site-packages")
    borrowed = [folder for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return home


def test_wheel_holds_the_rooms_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    info = f"gan_sweep-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {*PACKAGES, info}
    assert not [name for name in names if re.search(r"(^|/)(tests?/|test_|conftest)|README\.md$", name)]
    assert {f"{room}/py.typed" for room in ("orchestrator", "trainers", "cluster")} <= set(names)
    assert f"{info}/licenses/LICENSE" in names


def test_wheel_holds_every_module_and_yaml(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    here = [
        p for room in PACKAGES for kind in ("*.py", "*.yaml", "*.j2", "Dockerfile") for p in (ROOT / room).rglob(kind)
    ]
    assert {str(p.relative_to(ROOT)) for p in here} <= names
    assert any(re.fullmatch(r"search_spaces/\w+\.yaml", name) for name in names)


def test_installed_package_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = f"import {', '.join(PACKAGES)}; print(*(m.__file__ for m in ({', '.join(PACKAGES)})), sep='\\n')"
    for file in run(installed / "bin" / "python", "-c", code, cwd=tmp_path).split():
        assert Path(file).is_relative_to(installed)


@pytest.mark.parametrize("arguments", [["--help"], ["spaces", "list"]], ids=" ".join)
def test_installed_command_runs_anywhere(installed: Path, tmp_path: Path, arguments: list[str]) -> None:
    out = run(installed / "bin" / "gan-sweep", *arguments, cwd=tmp_path)
    assert ("launch" if arguments == ["--help"] else "ralsgan_motorbike") in out
    assert list(tmp_path.iterdir()) == []


def test_lock_pins_what_pyproject_asks_for() -> None:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    assert len(pins) == len(lines)
    extras = PROJECT["optional-dependencies"]
    wanted = map(Requirement, sum(extras.values(), PROJECT["dependencies"]))
    wrong = {str(r): pins.get(canonicalize_name(r.name)) for r in wanted
             if not r.specifier.contains(pins.get(canonicalize_name(r.name), "0"))}  # fmt: skip
    assert wrong == {}
