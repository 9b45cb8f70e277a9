"""Training: the loop, losses, augmentation, checkpoints."""
