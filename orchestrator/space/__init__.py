"""What a space's YAML may say: its sections, parsing, checking, overriding and writing."""
