"""The networks, by name.

Every network takes (N, H, W, 3) images as uint8 or float, 0 to 255. It gives (N, R, S, K) predictions in the layout
of the targets (`geometry/grid.py`).
"""
