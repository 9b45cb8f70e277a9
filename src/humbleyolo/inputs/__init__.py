"""Files that others made and nobody checked: folders and archives, their images and texts, and what is wrong."""
