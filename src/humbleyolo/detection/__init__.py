"""A trained model on any picture: the detector, its backends, tiles, writers."""
