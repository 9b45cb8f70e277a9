"""A trained model in other formats: targets, the parity gate, and the model card.

Every format holds the same graph: pixels in, boxes out. Decoding and suppression are inside, in operations that
every runtime has, so that a program that loads the file needs no code of this project.
"""
