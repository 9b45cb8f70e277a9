"""A reproducible data-and-training pipeline for a small object detector."""

__version__ = "0.1.0"
