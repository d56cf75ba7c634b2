"""How an update is carried out: precision, optimisers and their rates, the descent, the moving average."""
