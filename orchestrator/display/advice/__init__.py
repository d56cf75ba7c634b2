"""Advice after a sweep: sentences that its numbers bear out, each with these numbers. A kind of advice is a file."""
