"""What people see: the live table, summaries, what a plan says of its search."""
