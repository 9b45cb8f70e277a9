"""A trained model on any image: the detector, its backends, tiles, writers."""
