"""Images of words: fonts, word layout, painter."""
