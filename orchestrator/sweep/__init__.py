"""A running sweep: the driver, the broker actor, Tune's trainable and the ranks; README.md says what runs where."""
