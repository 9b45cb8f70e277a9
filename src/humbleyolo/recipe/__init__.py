"""The rules that choose values for a training from labels: `check` tells them, and `init` writes them."""
