"""Text for people: the live table, plans, summaries, and the output of commands."""
