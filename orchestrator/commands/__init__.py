"""One file per command of ``gan-sweep``: its options, and the function that runs it."""
