"""Training on a cluster: its workers compute the micro-batches of each step, this process the rest.

TensorFlow's `MultiWorkerMirroredStrategy` connects one process per worker with this one, which is the first. Its
all-gather brings every micro-batch to all; each adds them in their order and takes the same step. An all-reduce
would add in an order of its own. This process names each step, scores val and keeps the checkpoint.
"""

import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from humbleyolo.models.tensorflow_setup import runtime_in_force  # before TensorFlow

# isort: split
import tensorflow as tf

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.params.sections import Section, Train
from humbleyolo.process.cluster import Cluster, find_cluster
from humbleyolo.process.cluster_address import cluster_address, how_to_start_workers, naming
from humbleyolo.process.cluster_calls import ask_workers, run_on_workers, scheduler_there, send_files
from humbleyolo.process.last_words import last_words
from humbleyolo.process.terminal import counted, first_few, tell
from humbleyolo.training.channel import CONNECT_S, END, Channel, no_rows
from humbleyolo.training.member_process import Task, connect_member, port_of_ready, run_member, take_port, visible_gpu
from humbleyolo.training.micro_batches import Part
from humbleyolo.training.trainer import Trainer

_SENT_BYTES = 4 << 30  # of splits that workers do not see
_LOOK_S = 1.0
_SAY_S = 10.0  # until a word about workers that do something else
_PATIENCE_S = 30.0  # for TensorFlow to tell of a member that died, which takes it seconds


class Team:
    """The members of a training, for the process that leads it and computes no micro-batch itself."""

    def __init__(self, cluster: Cluster, names: list[str], tasks: list[Task], files: dict[str, Path]) -> None:
        self._cluster, self._names = cluster, names
        self._begun = False  # the members have the state of the trainer
        self._between = False  # two steps, where they wait for the next
        key = tasks[0]["key"]
        if runtime_in_force().gpus:
            _refuse_shared_gpus(
                cluster.address, ask_workers(cluster.address, cluster.client, visible_gpu, workers=names)
            )
        with _gathering_alone(cluster):
            send_files(cluster.address, cluster.client, names, key, files)
            self._futures = cluster.start_each(names, run_member, tasks)
            ports = self._wait_until_ready(key)
        ends = f"if a firewall keeps them apart, it ends after {CONNECT_S} s"
        tell(f"training connects with {counted(len(names), 'worker')}; {ends}", to=sys.stderr)
        with take_port() as taken:
            own = taken.getsockname()[1]
        addresses = _addresses(cluster, {"": own, **ports})
        told = self._ask_members(connect_member, key, addresses)
        if told is None or any(told.values()):
            raise UserError(self._word("before its first step", "its process ended"))
        apart = (
            f"{cluster.address}: no connection in {CONNECT_S} s; let each of {', '.join(addresses)} reach the others"
        )
        tokens = [cluster.shared] if cluster.shared else []
        try:
            with last_words(CONNECT_S - 2, apart, tokens):
                self._channel = Channel(addresses, 0)
        except (tf.errors.OpError, RuntimeError) as error:
            raise UserError(self._word("before its first step", str(error))) from None

    def _wait_until_ready(self, key: str) -> dict[str, int]:
        """Wait for all members, and return worker -> port of its member.

        TensorFlow, which waits for them next, lets no other thread of Python run meanwhile, and not for long.

        Raises:
            UserError: A member cannot compute as this process does, or died, or the scheduler did.
        """
        began, said = time.monotonic(), False
        while True:
            ports = self._ask_members(port_of_ready, key)
            if ports and all(isinstance(ports.get(name), int) for name in self._names):
                return {name: ports[name] for name in self._names}
            if lost := self._lost():
                raise UserError(f"{self._cluster.address}: {'; '.join(lost)}")
            if not said and time.monotonic() - began > _SAY_S and (busy := self._busy()):
                said = True
                tell(f"training waits for worker {first_few(busy, 1)}, busy with other work", to=sys.stderr)
            time.sleep(_LOOK_S)

    def lead(self, trainer: Trainer) -> None:
        """Have the members compute a trainer's micro-batches from now on."""
        none = no_rows(trainer.micro.row_length)

        def gather(step: int, _: Iterable[Part]) -> list[Part]:
            self._between = False
            try:
                if not self._begun:  # now, since it has gone on from its checkpoint, if there is one
                    self._channel.share_state(trainer, own=True)
                self._begun = True
                self._channel.send_step(step)
                rows = self._channel.gather(none)
            except tf.errors.OpError as error:
                raise UserError(self._word(f"at step {step + 1}", str(error))) from None
            self._between = True
            return [trainer.micro.unpack(row) for row in rows]

        trainer.share(range(0), gather)

    def _word(self, when: str, reason: str) -> str:
        """Return the text for a member that died, once it is known which."""
        until = time.monotonic() + _PATIENCE_S
        while not (lost := self._lost()) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        who = "; ".join(lost) or f"a worker is gone ({' '.join(reason.split())[:200]})"
        return f"{self._cluster.address}: {who}; training stopped {when}; `dvc repro` goes on from its checkpoint"

    def _lost(self) -> list[str]:
        """Return the members that ended, in words, or that the scheduler did."""
        present, lost = self._ask(lambda client: client.nthreads()), list[str]()
        if present is None:
            return ["the scheduler is gone"]
        for name, future in zip(self._names, self._futures, strict=True):
            if name not in present:
                lost.append(f"worker {name} is gone")
            elif future.status == "error":
                lost.append(f"worker {name}: {future.exception()}")
            elif future.status == "cancelled":
                lost.append(f"worker {name}: its process was cancelled")
            elif future.status == "finished":
                with suppress(OSError, CancelledError):  # gone meanwhile, which the next look finds
                    result = future.result(timeout=1)
                    lost.append(f"worker {name}: {getattr(result, 'error', 'its process ended')}")
        return lost

    def _busy(self) -> list[str]:
        """Return the workers that have work of others."""
        keys = {future.key for future in self._futures}
        has = self._ask(lambda client: client.processing()) or {}
        return [name for name in self._names if set(has.get(name, ())) - keys]

    def _ask_members(self, question: Callable[..., Any], *arguments: Any) -> dict[str, Any] | None:
        """Return what a function gives on each worker of the training; None if the scheduler is gone."""
        address, names = self._cluster.address, self._names
        found: dict[str, Any] | None = self._ask(
            lambda client: run_on_workers(address, client, question, *arguments, workers=names)
        )
        return found

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Return what a question to Dask's client gives; None if the scheduler is gone."""
        client = self._cluster.client
        if client.status == "running":  # else it has lost its connection, and with it the members
            try:
                return question(client)
            except Exception as error:
                if client.status == "running" and not isinstance(error, OSError | CancelledError):
                    raise
        return None

    def close(self) -> None:
        """Let members that wait for a step end; others do when this process ends."""
        if self._between:
            with suppress(tf.errors.OpError):
                self._channel.send_step(END)


@contextmanager
def form_team(paths: Sequence[Path], train: Train, **sections: Section | int) -> Iterator[Team | None]:
    """Yield the team that trains on the splits at `paths`; None if this process trains alone.

    It has as many of the cluster's workers as divide the number of micro-batches; a line says so. `sections` are the
    others that a trainer depends on.

    Raises:
        UserError: The workers see none of the data, and it is too large to be sent; or none is left.
    """
    cluster = _cluster_for(train)
    if cluster is None:
        yield None
        return
    paths, names = paths if train.include_val else paths[:1], cluster.names()
    if not names:
        raise UserError(f"{cluster.address}: no worker is left; {how_to_start_workers(cluster.address)}")
    count = max(one for one in range(1, len(names) + 1) if train.micro_batches % one == 0)
    parts = counted(train.micro_batches, "micro-batch", "micro-batches")
    tell(f"training runs on {count} of {counted(len(names), 'worker')}, which share {parts}", to=sys.stderr)
    shared = all(cluster.shares(file) for path in paths for file in _files(path))
    files = {} if shared else _files_to_send(paths)
    task: Task = {
        "splits": [str(path.resolve() if shared else path.name) for path in paths],
        "train": train.model_dump(),
        "runtime_in_force": list(runtime_in_force()),
        "key": secrets.token_hex(8),
        **{name: one.model_dump() if isinstance(one, Section) else one for name, one in sections.items()},
    }
    names = sorted(_idle_first(cluster, names)[:count])
    team = Team(cluster, names, [{**task, "place": place} for place in range(1, count + 1)], files)
    try:
        yield team
    finally:
        team.close()


def _cluster_for(train: Train) -> Cluster | None:
    """Return the cluster that can train; None without one, with the reason if one is named."""
    address = cluster_address()
    if address is None:
        return None
    if train.micro_batches > 1 and _with_scheme(address).startswith("tcp://"):
        return find_cluster()
    encrypted = f"TensorFlow's processes would talk without the encryption of {address}"
    reason = encrypted if train.micro_batches > 1 else "train.micro_batches is 1"
    tell(f"training runs on this machine: {reason}", to=sys.stderr)
    return None


def _with_scheme(address: str) -> str:
    """Return an address with the scheme that Dask takes it to have."""
    return address if "://" in address else f"tcp://{address}"


def _files(split: Path) -> list[Path]:
    return sorted(file for file in split.rglob("*") if file.is_file())


def _files_to_send(paths: Sequence[Path]) -> dict[str, Path]:
    files = {f"{path.name}/{file.relative_to(path).as_posix()}": file for path in paths for file in _files(path)}
    total = sum(file.stat().st_size for file in files.values())
    if total > _SENT_BYTES:
        raise UserError(
            f"{', '.join(map(str, paths))}: {total / 1e9:.0f} GB are too much to be sent to each worker; let the "
            f"workers see the project's folder, or unset {naming()}"
        )
    return files


@contextmanager
def _gathering_alone(cluster: Cluster) -> Iterator[None]:
    """Let no other training of this cluster gather members meanwhile: each could wait for a worker of the other.

    A process that dies gives its lease back after half a minute.
    """
    from distributed import Lock

    with scheduler_there(cluster.address, cluster.client), cluster.client.as_current():
        alone = Lock("humbleyolo-training")
        if not alone.acquire(timeout=_SAY_S):
            tell("training waits for another one, which waits for its workers", to=sys.stderr)
            alone.acquire()
    try:
        yield
    finally:
        with suppress(Exception):  # the scheduler may be gone, and its lock with it
            alone.release()


def _refuse_shared_gpus(address: str, gpus: dict[str, Any]) -> None:
    """Refuse workers that would take the same GPU: its memory would be too small, or its time shared.

    Raises:
        ProblemsError: With each such GPU.
    """
    workers: dict[str, list[str]] = {}
    for name, gpu in sorted(gpus.items()):
        workers.setdefault(str(gpu), []).append(name)
    problems = [f"{gpu}: {', '.join(names)}" for gpu, names in sorted(workers.items()) if len(names) > 1]
    if problems:
        head = f"{address}: several workers have one GPU; start each with CUDA_VISIBLE_DEVICES of its own"
        raise ProblemsError(f"{head}, and one per GPU", problems)


def _idle_first(cluster: Cluster, names: Sequence[str]) -> list[str]:
    """Return workers in the order of how much work they have."""
    with scheduler_there(cluster.address, cluster.client):
        processing = cluster.client.processing()
    return sorted(names, key=lambda name: len(processing.get(name, ())))


def _addresses(cluster: Cluster, ports: dict[str, int]) -> list[str]:
    """Return `host:port` of each process: of this one, as the scheduler's machine sees it, then of the workers'.

    Args:
        cluster: The cluster.
        ports: Worker -> port; this machine's first, by an empty name.
    """
    scheduler = urlsplit(_with_scheme(cluster.address))
    try:
        with socket.create_connection((scheduler.hostname, scheduler.port)) as connection:
            own = connection.getsockname()[0]
    except OSError as error:
        raise UserError(f"{cluster.address}: the scheduler is gone ({error}); start it again") from None
    hosts = [urlsplit(name).hostname or own for name in ports]
    return [
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        for host, port in zip(hosts, ports.values(), strict=True)
    ]
