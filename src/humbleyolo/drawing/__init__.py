"""Boxes drawn on images, contact sheets, galleries, and their font."""
