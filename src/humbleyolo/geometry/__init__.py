"""Boxes, IoU and suppression, the letterbox, and the grid."""
