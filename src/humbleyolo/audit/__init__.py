"""A trained model's help with labels: those it doubts, `audit`, and the images to label next, `next`."""
