import sys
from pathlib import Path

# pytest's importlib mode puts no test folder on the path, and spawned processes import their functions by name.
sys.path.insert(0, str(Path(__file__).parent))
