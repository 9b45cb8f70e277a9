"""A trained model used on any picture: what `humbleyolo.Detector` and the command line share.

Nothing here imports TensorFlow but `native`, `savedmodel` and `keras_file`, and those only when such a model is
loaded. `model.py` says what every model does, `backends.py` which module reads which file.
"""
