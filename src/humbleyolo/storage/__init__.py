"""Files: written whole or not at all, hashes, JSON, npy, PNG and stored zip."""
