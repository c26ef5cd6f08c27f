"""What one training is: data, networks, training loop and metrics of Chen et al. 2022. Knows nothing of Ray or W&B."""
