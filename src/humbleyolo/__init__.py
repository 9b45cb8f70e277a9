"""A reproducible data-and-training pipeline for a small object detector."""
