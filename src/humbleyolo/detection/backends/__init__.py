"""Runtimes of a trained model, a module each."""
