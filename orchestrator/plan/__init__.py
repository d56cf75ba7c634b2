"""Turns the options of a launch into a `Plan`: everything is resolved and checked before Ray starts."""
