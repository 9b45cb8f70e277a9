"""The whole chain on a cluster of any number of workers, as `humbleyolo verify` runs it: the committed bytes."""

import re
from pathlib import Path

import pytest
from cluster import loopback_cluster
from tiny_project import Project

from humbleyolo.process.cluster_address import VARIABLE

pytestmark = pytest.mark.slow

WORKERS = (1, 2, 4)


def test_the_chain_has_the_committed_bytes_on_any_number_of_workers(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.set("train.micro_batches", max(WORKERS))  # so that the workers train too
    project.dvc("repro")
    project.commit("Train in micro-batches, in processes of this machine")
    with loopback_cluster(tmp_path / "cluster", 0) as cluster:
        monkeypatch.setenv(VARIABLE, cluster.address)
        for count in WORKERS:
            while len(cluster.workers) < count:
                cluster.add_worker()
            done = project.command("humbleyolo", "verify")
            assert done.returncode == 0, done.stdout + done.stderr
            assert re.search(r"^all \d+ outputs of 5 stages have the committed hashes$", done.stdout, re.MULTILINE)
            said = (done.stdout + done.stderr).replace("workers", "worker")
            assert said.count(f"work runs on the cluster {cluster.address}: {count} worker") == 4  # all but render
            assert said.count(f"training runs on {count} of {count} worker") == 1
