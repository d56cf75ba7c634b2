"""Everything resolved and checked before Ray starts: what was typed becomes a Plan."""
