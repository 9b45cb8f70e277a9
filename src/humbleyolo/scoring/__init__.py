"""Detections of a model, or of a file that any tool wrote, measured against labels."""
