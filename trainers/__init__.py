"""How one GAN learns. Imports torch; never ray, mlflow, click or orchestrator."""
