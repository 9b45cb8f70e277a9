"""A stage under DVC: its dependencies, its environment and its last line."""
