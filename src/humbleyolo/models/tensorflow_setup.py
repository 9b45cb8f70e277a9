"""TensorFlow, started the same way everywhere: import this before any other module that needs TensorFlow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from humbleyolo.errors import UserError
from humbleyolo.params.sections import Runtime
from humbleyolo.process.stderr import hold_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # the default; an environment could change it, and the bits with it
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a GPU's memory as it is needed, not all of it
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = os.devnull  # ~/.keras/keras.json could turn images around and change every number's width
with hold_stderr():  # the import tells of missing GPUs and of instruction sets, whatever the log level
    import keras
    import tensorflow as tf


def start_runtime(runtime: Runtime) -> None:
    """Set TensorFlow's threads, and make its operations deterministic.

    Raises:
        RuntimeError: TensorFlow has computed something already, with other threads.
    """
    tf.config.threading.set_intra_op_parallelism_threads(runtime.intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(runtime.inter_op_threads)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Have networks that are built inside compute in `float32` or `bfloat16`; their weights stay float32.

    `bfloat16` has float32's range, so that no loss needs scaling, and a quarter of its digits (Kalamkar et al. 2019).
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def set_threads(threads: int) -> None:
    """Let TensorFlow compute with so many threads, in the whole process.

    Raises:
        UserError: TensorFlow has computed something already, with another number.
    """
    if tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        raise UserError(
            f"threads is {threads}, but TensorFlow computes in this process with another number already"
        ) from None
