"""Boxes drawn on images, contact sheets, their font, and the colours of all pictures and pages."""
