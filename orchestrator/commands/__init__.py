"""One file per command of ``gan-sweep``: each does what `orchestrator.cli` has parsed."""
