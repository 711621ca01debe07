"""Learn what a training loop does by steering a real PyTorch training run while it runs."""
