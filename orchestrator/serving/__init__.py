"""Images from a finished generator over HTTP."""
