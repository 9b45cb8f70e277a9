"""The beginning of a first training on a labelled folder: `init`."""
