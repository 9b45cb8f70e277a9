"""Labelled images divided into train, val and test, and written as the dataset of `generate`."""
