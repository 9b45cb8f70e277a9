"""TensorFlow set to what `params.yaml` says, so that results do not depend on the machine's number of cores.


import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors, but no notes on the machine

import tensorflow as tf

from humbleyolo.params import Runtime


def start_runtime(runtime: Runtime) -> None:
    """Fix the number of threads, and let no operation depend on their timing. Call it before any other work.

    Raises:
        RuntimeError: Where TensorFlow has computed something already, with other threads.
    """
    tf.config.threading.set_intra_op_parallelism_threads(runtime.intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(runtime.inter_op_threads)
    tf.config.experimental.enable_op_determinism()
