"""Label formats, a module each."""
