"""The YAML of search spaces: its sections, and how it is parsed, checked, overridden and written."""
