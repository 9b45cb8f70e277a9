"""A split on disk: the archive of images and boxes, the arrays for the network, the summary."""
