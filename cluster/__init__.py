"""Machines: cloud YAML, render, submit. Never torch, never another room."""
