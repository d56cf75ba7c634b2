import sys
from pathlib import Path

# pytest's importlib mode puts no test folder on the path, and spawned processes import their functions by name.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "trainers")]
