"""TensorFlow, started the same way everywhere: import this before any other module that needs TensorFlow."""

import gc
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from humbleyolo.errors import UserError
from humbleyolo.params.sections import Runtime
from humbleyolo.process.stderr import hold_stderr
from humbleyolo.process.versions import numeric_instructions

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # the default; an environment could change it, and the bits with it
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a GPU's memory as it is needed, not all of it
os.environ["KERAS_BACKEND"] = "tensorflow"
# ~/.keras/keras.json could turn images around and change every number's width. A file is there and is no folder, so
# that Keras neither finds nor makes one.
os.environ["KERAS_HOME"] = __file__
_collecting = gc.isenabled()
gc.disable()  # the import makes a million objects that stay; to look through them again and again takes over a second
try:
    with hold_stderr():  # the import tells of missing GPUs and of instruction sets, whatever the log level
        import keras
        import tensorflow as tf
finally:
    if _collecting:
        gc.enable()


_process: list[int] = []  # id of the process that computes


def claim_process() -> None:
    """Note the process that computes; to be called before a model is read, and before it is run.

    Raises:
        UserError: It was forked from one that computes. A fork has none of TensorFlow's threads, and waits for ever.
    """
    if not _process:
        _process.append(os.getpid())
    if os.getpid() not in _process:
        raise UserError(
            "this process was forked from one in which TensorFlow computes already, and would wait for it for ever; "
            "load the model in the forked processes alone, or start them anew: multiprocessing.get_context('spawn')"
        )


def start_runtime(runtime: Runtime) -> None:
    """Set TensorFlow's threads, and make its operations deterministic.

    Raises:
        RuntimeError: TensorFlow has computed something already, with other threads.
    """
    tf.config.threading.set_intra_op_parallelism_threads(runtime.intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(runtime.inter_op_threads)
    tf.config.experimental.enable_op_determinism()


class RuntimeInForce(NamedTuple):
    """Threads, graphics cards and instructions of TensorFlow in a process, on which the last bits depend."""

    intra_op_threads: int
    inter_op_threads: int
    gpus: tuple[str, ...]
    instructions: str


def runtime_in_force() -> RuntimeInForce:
    """Return what TensorFlow computes with here."""
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return RuntimeInForce(
        tf.config.threading.get_intra_op_parallelism_threads(),
        tf.config.threading.get_inter_op_parallelism_threads(),
        tuple(str(gpu.get("device_name", "GPU")) for gpu in gpus[:1]),
        numeric_instructions(),
    )


def adopt_runtime(wanted: RuntimeInForce) -> None:
    """Have this process, a worker of a cluster, compute as another does.

    Raises:
        UserError: If it cannot: another processor or GPU, or other threads that it has computed with already.
    """
    tf.config.experimental.enable_op_determinism()
    if runtime_in_force() == wanted:
        return
    with suppress(RuntimeError):  # told below
        tf.config.threading.set_intra_op_parallelism_threads(wanted.intra_op_threads)
        tf.config.threading.set_inter_op_parallelism_threads(wanted.inter_op_threads)
    have = runtime_in_force()
    if have != wanted:
        told = [
            f"{name} {mine!r}, not {its!r}"
            for name, mine, its in zip(have._fields, have, wanted, strict=True)
            if mine != its
        ]
        raise UserError(
            f"a worker on {platform.node()} computes with {', '.join(told)}, which may change the last bits; start "
            "that worker again for other threads, take machines of one kind, or work without the cluster"
        )


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
