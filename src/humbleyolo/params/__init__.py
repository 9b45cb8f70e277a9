"""The typed sections of `params.yaml`, the rules between them, and the loader."""
