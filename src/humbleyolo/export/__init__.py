"""A trained model in other formats: a module each for what is written, one for the check that it answers alike.

Every format holds the same graph: pixels in, boxes out. Decoding and suppression are inside, in operations that
every runtime has, so that whoever loads the file needs no code of this project.
"""
