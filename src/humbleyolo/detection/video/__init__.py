"""Clips, cameras and streams, frame by frame."""
