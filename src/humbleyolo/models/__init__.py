"""The networks, by name.

Every network takes (N, H, W, 3) images as uint8 or float, 0 to 255, and gives (N, R, S, K) predictions in the
grid's layout (`grid.py`): what the targets hold, it predicts.
"""
