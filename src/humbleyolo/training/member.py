"""A member of a training on a cluster: it computes its micro-batches of each step that the first process names."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from humbleyolo.models.tensorflow_setup import RuntimeInForce, adopt_runtime, start_runtime  # before TensorFlow

# isort: split
import numpy as np
import tensorflow as tf

from humbleyolo.dataset.encoded_split import join_splits, open_encoded
from humbleyolo.errors import UserError
from humbleyolo.params.sections import Loss, Model, Runtime, Train
from humbleyolo.process.exits import exit_with
from humbleyolo.process.terminal import tell
from humbleyolo.training.channel import END, Channel
from humbleyolo.training.member_process import READY, Task, take_port
from humbleyolo.training.micro_batches import Part
from humbleyolo.training.trainer import build_trainer


def serve() -> None:
    """Be a member; the arguments come as a line of JSON on standard input, and all addresses as a second one."""
    exit_with(lambda: _follow(json.loads(sys.stdin.readline())))


def _follow(task: Task) -> None:
    """Compute this member's micro-batches of each step that the first process names."""
    runtime, train = Runtime(**task["runtime"]), Train.model_validate(task["train"])
    start_runtime(runtime)
    threads, inter, gpus, instructions = task["runtime_in_force"]
    adopt_runtime(RuntimeInForce(threads, inter, tuple(gpus), instructions))
    splits = [open_encoded(Path(path)) for path in task["splits"]]
    with take_port() as taken:
        tell(f"{READY} {taken.getsockname()[1]}")
        addresses = json.loads(sys.stdin.readline() or "[]")
    if not addresses:
        raise UserError("the training ended before it began")
    channel = Channel(addresses, task["place"])
    if train.start == "own":  # the weights come with the state; the same blocks are frozen
        train = train.model_copy(update={"start": "pretrained"})
    data = join_splits(*splits) if train.include_val else splits[0]
    model, loss = Model.model_validate(task["model"]), Loss.model_validate(task["loss"])
    trainer = build_trainer(task["seed"], runtime, model, loss, train, data)
    share = train.micro_batches // (len(addresses) - 1)
    micro = trainer.micro

    def gather(_: int, parts: Iterable[Part]) -> list[Part]:
        rows = channel.gather(np.stack([micro.pack(part) for part in parts]))
        return [micro.unpack(row) for row in rows]

    first = share * (task["place"] - 1)
    trainer.share(range(first, first + share), gather)
    try:
        channel.share_state(trainer, own=False)
        while (step := channel.receive_step()) != END:
            epoch, place = divmod(step, trainer.steps_an_epoch)
            trainer.step(step, trainer.parts(epoch, trainer.chosen(epoch, place)))
    except tf.errors.OpError as error:
        raise UserError(f"the training ended: {' '.join(str(error).split())[:200]}") from None
