"""The training loop: losses, augmentation, checkpoints."""
