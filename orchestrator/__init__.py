"""Which trials run, stop and are recorded."""
