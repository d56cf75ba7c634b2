"""Search spaces: data only, one YAML file per experiment."""
