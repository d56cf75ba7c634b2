"""How an update is carried out: precision, optimisers, the descent."""
