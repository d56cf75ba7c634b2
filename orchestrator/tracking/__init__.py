"""MLflow: a parent run per sweep, a child run per trial."""
