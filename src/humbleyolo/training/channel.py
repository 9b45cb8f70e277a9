"""Arrays between the processes of a training on a cluster, through TensorFlow's all-gather.

D numbers of a row    every row is float32; other numbers travel as their bits
"""

import faulthandler
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from humbleyolo.models import tensorflow_setup  # noqa: F401 - before TensorFlow

# isort: split
import numpy as np
import tensorflow as tf

from humbleyolo.storage.array_types import Floats32
from humbleyolo.training.trainer import Trainer

CONNECT_S = 300
"""Seconds until processes that do not find each other end; it takes some, or never comes to an end."""

END = -1
"""In place of a step: no other follows."""

_CHUNK = 1 << 24  # numbers of a row that travel at once


class Channel:
    """A place among the processes of a training. Nothing has computed with TensorFlow yet where one is made.

    Args:
        addresses: `host:port` of each process.
        place: Number of this one among them.
    """

    def __init__(self, addresses: Sequence[str], place: int) -> None:
        gpus = tf.config.list_physical_devices("GPU")
        if gpus:  # one per process
            tf.config.set_visible_devices(gpus[:1], "GPU")
        task = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": place}}
        os.environ["TF_CONFIG"] = json.dumps(task)
        with _limit(CONNECT_S):
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        del os.environ["TF_CONFIG"]
        signature = [tf.TensorSpec((None, None), tf.float32)]
        self._gather = tf.function(self._all_gather, input_signature=signature, autograph=False)

    def _all_gather(self, rows: tf.Tensor) -> tf.Tensor:
        def gather(mine: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_gather(tf.identity(mine), axis=0)  # the identity has a device, which it needs

        return self._strategy.run(gather, args=(rows,))

    def gather(self, rows: Any) -> Floats32:
        """Return the rows (n, D) of all processes, in the order of their places; n may be 0 in some."""
        width = rows.shape[1]
        chunks = [self._gather(rows[:, start : start + _CHUNK]) for start in range(0, width, _CHUNK)]
        return np.concatenate([np.asarray(chunk) for chunk in chunks], axis=1)

    def send_step(self, step: int) -> None:
        """Tell the others which step is next; `receive_step` is its counterpart."""
        self.gather(np.array([[step]], np.int32).view(np.float32))

    def receive_step(self) -> int:
        """Return the step that the first process sends."""
        return int(self.gather(no_rows(1)).view(np.int32)[0, 0])

    def share_state(self, trainer: Trainer, *, own: bool) -> None:
        """Give all trainers the state of the first process' one, whose state is `own`."""
        state = trainer.state()
        whole = b"".join(np.ascontiguousarray(array).tobytes() for array in state.values())
        row = np.frombuffer(whole, np.float32)[None]
        content = self.gather(row if own else no_rows(row.shape[1])).tobytes()
        if own:
            return
        place, found = 0, {}
        for name, array in state.items():
            found[name] = np.frombuffer(content, array.dtype, array.size, place).reshape(array.shape)
            place += array.nbytes
        trainer.restore(found)


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """End this process if TensorFlow takes longer to connect; only a thread without Python can, which this has."""
    with Path(os.devnull).open("w") as nothing:  # in place of a trace
        faulthandler.dump_traceback_later(seconds, exit=True, file=nothing)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def no_rows(width: int) -> Floats32:
    """Return no rows (0, width): the part of a process that only listens."""
    return np.zeros((0, width), np.float32)
