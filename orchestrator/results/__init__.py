"""What a sweep found, kept in plain files: written while it runs, read afterwards."""
