"""The recipes of docs/sharing.md and the README, run block by block against real servers on this machine.

Slow: each block is several runs of DVC. Nothing leaves 127.0.0.1, and everything lies in temporary folders.
"""

import contextlib
import hashlib
import io
import json
import re
import secrets
import stat
import subprocess
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import Reader, blocks, put, section
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from repository import ROOT
from ruamel.yaml import YAML
from servers import Bucket, http_server, s3_server, ssh_server
from small_disk import small_disk
from tiny_project import Project

SHARING = (ROOT / "docs/sharing.md").read_text(encoding="utf-8")
README = section((ROOT / "README.md").read_text(encoding="utf-8"), "Share")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

BUCKET, CLONE, DAMAGE, CUT, FOLDER, SSH, MIRROR, VERSION = RUN = (
    "In a bucket",
    "In another clone",
    "Damaged on the server",
    "A push that was interrupted",
    "In a shared folder",
    "Over SSH",
    "A mirror that can only be read",
    "A model with a version",
)
PROJECT_URL = "https://example.org/you/project.git"
KEY_ID, SECRET = secrets.token_hex(10), secrets.token_hex(20)  # to be found nowhere
KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}

# Enough to find something, so that its AP says something.
TRAINED = {
    "dataset.synthetic.images": {"train": 480, "val": 24, "test": 24},
    "train.epochs": 6,
    "train.batch": 16,
    "train.learning_rate": 0.015,
}


def of(heading: str) -> list[str]:
    return blocks(section(SHARING, heading))


def digests(project: Path) -> dict[str, str]:
    """Return the MD5 of each output that DVC keeps, as dvc.lock has it."""
    lock = YAML(typ="safe").load(project / "dvc.lock")
    outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
    return {out["path"]: out["md5"] for out in outs if not out["path"].endswith(("metrics.json", "headline.json"))}


def needed(project: Path, *stages: str) -> set[str]:
    """Return what other stages made and these stages read."""
    lock = YAML(typ="safe").load(project / "dvc.lock")["stages"]
    others = {out["path"] for name, stage in lock.items() if name not in stages for out in stage["outs"]}
    return {dep["path"] for name in stages for dep in lock[name]["deps"]} & others


def objects(cache: Path) -> set[str]:
    """Return the name of every file below a cache or a remote's folder."""
    return {file.relative_to(cache).as_posix() for file in cache.rglob("*") if file.is_file()}


def object_name(md5: str) -> str:
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def flipped(data: bytes) -> bytes:
    """Return bytes with one bit changed, in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def ran(said: str) -> list[str]:
    return re.findall(r"^Running stage '(\w+)':", said, re.MULTILINE)


def nothing_to_run(said: str) -> bool:
    return said.count("didn't change, skipping") == 5 and not ran(said)


class Team:
    """A project with a repository that all push to and clone, and a bucket.

    Attributes:
        first: Where the chain has run.
        origin: The bare repository.
        bucket: Of the name in the documents.
        reader: Who types the commands; the keys are in the environment.
    """

    def __init__(self, folder: Path, project: Project, bucket: Bucket) -> None:
        self.folder, self.first, self.bucket = folder, project.path, bucket
        self.origin = folder / "project.git"
        self.reader = Reader(
            folder / "home", KEYS | {"AWS_ENDPOINT_URL": bucket.server, "AWS_EC2_METADATA_DISABLED": "true"}
        )
        project.git("clone", "--quiet", "--bare", ".", str(self.origin))
        project.git("remote", "add", "origin", str(self.origin))
        project.git("push", "--quiet", "--set-upstream", "origin", "HEAD")

    def run(self, block: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.reader.run(block, folder, **options)

    def clone(self, name: str) -> Path:
        """Return a fresh clone without data."""
        self.run(f"git clone --quiet {self.origin} {name}", self.folder)
        return self.folder / name

    def remote_objects(self) -> set[str]:
        """Return what is in the bucket, without the folder of the project."""
        return {key.removeprefix("humbleyolo/") for key in self.bucket.keys()}  # noqa: SIM118 - not a mapping


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("trained") / "first")
    for key, value in TRAINED.items():
        project.set(key, value)
    project.repro()
    project.commit("Run it")
    return project


@pytest.fixture(scope="module")
def team(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A team whose first clone has sent all to the bucket, as the README says."""
    folder = tmp_path_factory.mktemp("team")
    with s3_server(folder / "s3.log") as url:
        team = Team(folder, trained, Bucket(url, "my-bucket"))
        team.run(blocks(README)[0], team.first)
        yield team


@pytest.fixture
def copy(team: Team, tmp_path: Path) -> Path:
    """A copy of the first clone, cache included, as it was before it had a remote."""
    Project(team.first).copy(tmp_path / "project")
    team.run("dvc remote remove storage", tmp_path / "project")
    return tmp_path / "project"


class TestTheDocuments:
    def test_every_block_is_of_a_section_that_is_run(self) -> None:
        assert len(blocks(SHARING)) == sum(len(of(heading)) for heading in RUN)
        assert set(re.findall("^```.*$", SHARING, re.MULTILINE)) == {"```console", "```"}

    def test_the_readme_has_the_same_commands(self) -> None:
        known = blocks(SHARING)
        for block in blocks(README):
            assert any(block in one for one in known), block

    def test_the_extras_are_there_and_no_base_dependency(self) -> None:
        named = set(re.findall(r"--extra (\w+)", SHARING))
        assert named == {"s3", "ssh"}
        assert named <= set(PYPROJECT["project"]["optional-dependencies"])
        assert not [name for name in PYPROJECT["project"]["dependencies"] if re.search("s3|ssh|boto", name)]

    def test_links_lead_somewhere(self) -> None:
        for target in re.findall(r"\]\(([^)]+)\)", SHARING):
            assert (ROOT / "docs" / target).is_file(), target


def test_no_committed_file_of_dvc_holds_a_key_or_a_private_address() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", ".dvc", "*.dvc", "dvc.yaml"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    names = [name for name in listed.decode().split("\0") if name.endswith(("config", ".dvc", ".yaml"))]
    assert ".dvc/config" in names
    assert ".dvc/config.local" not in names
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search("access_key|secret|token|password|passphrase|://[^/ ]*@", text, re.I), name
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", ".dvc/config.local"], cwd=ROOT, check=False
    ).returncode
    assert ignored == 0


@pytest.mark.slow
class TestABucket:
    def test_all_is_there_and_no_key_in_git(self, team: Team) -> None:
        kept = objects(team.first / ".dvc/cache")
        in_git = {  # what the run cache has of files that git keeps
            object_name(hashlib.md5((team.first / f"data/evaluation/{name}").read_bytes()).hexdigest())
            for name in ("metrics.json", "headline.json")
        }
        assert team.remote_objects() == kept - in_git
        assert len([name for name in kept if name.startswith("runs/")]) == 5
        config = team.run("git show HEAD:.dvc/config", team.origin).stdout
        assert "url = s3://my-bucket/humbleyolo" in config
        assert "verify = true" in config
        for secret in (KEY_ID, SECRET):
            assert not team.run(f"git log --all --patch -S {secret}", team.origin).stdout
            assert not [
                file for file in team.first.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()
            ]

    def test_another_clone_pulls_and_has_nothing_to_run(self, team: Team, tmp_path: Path) -> None:
        (block, *_) = of(CLONE)
        assert blocks(README)[1] in block
        done = team.run(put(block, {PROJECT_URL: str(team.origin)}), tmp_path)
        second = tmp_path / "project"
        assert nothing_to_run(done.stdout), done.stdout
        assert Project(second).outputs() == Project(team.first).outputs()
        assert len([name for name in objects(second / ".dvc/cache") if name.startswith("runs/")]) == 5
        assert team.run("git status --porcelain", second).stdout == ""

    def test_a_change_of_the_evaluation_fetches_what_it_reads_and_runs_two_stages(self, team: Team) -> None:
        _, block, back = of(CLONE)
        assert blocks(README)[2] == block
        third = team.clone("third")
        Project(third).set("evaluate.min_score", 0.4)
        before = digests(third)
        done = team.run(block, third)
        assert ran(done.stdout) == ["evaluate", "render"]

        made = {
            path
            for path in before
            if path.startswith(("data/evaluation/", "data/model/selection.json", "data/render/"))
        }
        reads = needed(third, "evaluate", "render")
        assert {path for path in before if (third / path).exists()} == reads | made
        names = {"weights.npz", "model.json", "history.csv", "report.json", "summary.json", "val", "test"}
        assert {Path(path).name for path in reads} == names  # as the document says
        cache = objects(third / ".dvc/cache")
        unread = [object_name(before[path]) for path in set(before) - reads - made]
        assert len(unread) == 5
        assert not cache & set(unread)
        first, metrics = team.first / "data/evaluation/metrics.json", third / "data/evaluation/metrics.json"
        assert first.read_bytes() != metrics.read_bytes()

        team.run(back, third)
        assert Project(third).outputs() == Project(team.first).outputs()
        assert nothing_to_run(team.run("dvc repro", third).stdout)

    def test_keys_on_this_machine_alone(self, team: Team, copy: Path) -> None:
        set_up, local, other = of(BUCKET)
        assert set_up == blocks(README)[0]
        quiet = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": ""}
        unset = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL\n"
        team.run("git checkout --quiet -- .dvc/config", copy)
        team.run(put(other, {"https://s3.example.org": team.bucket.server}), copy, **quiet)
        refused = team.run(unset + "dvc status --cloud", copy, check=False, **quiet)
        assert refused.returncode != 0
        assert "credentials" in refused.stderr
        team.run(local, copy, KEY_ID=KEY_ID, SECRET_KEY=SECRET)
        assert "are in sync" in team.run(unset + "dvc status --cloud", copy, **quiet).stdout
        assert SECRET in (copy / ".dvc/config.local").read_text()
        assert SECRET not in (copy / ".dvc/config").read_text()
        assert team.run("git status --porcelain --untracked-files=all", copy).stdout == " M .dvc/config\n"


@pytest.mark.slow
class TestDamage:
    """One bit of an object on the server is another."""

    @pytest.fixture
    def damage(self, team: Team) -> Iterator[Callable[[str], str]]:
        """Damage the file of a path in the project, and give back what it was if the test has not mended it."""
        whole: dict[str, bytes] = {}

        def damage(path: str) -> str:
            url = team.run(f"dvc get --show-url . {path}", team.first).stdout.strip()
            key = url.removeprefix("s3://my-bucket/")
            whole[key] = team.bucket.read(key)
            team.bucket.write(key, flipped(whole[key]))
            return key.removeprefix("humbleyolo/")

        yield damage
        for key, data in whole.items():
            team.bucket.write(key, data)

    def test_of_a_file_is_refused_and_mended(self, team: Team, damage: Callable[[str], str]) -> None:
        find, remove, send, _ = of(DAMAGE)
        name = damage("data/model/weights.npz")
        clone = team.clone("damaged")
        refused = team.run("dvc pull", clone, check=False)
        assert refused.returncode == 1
        shown = re.findall(r"^    (.*)$", section(SHARING, DAMAGE), re.MULTILINE)
        for line in shown[:3]:
            assert line in refused.stderr.splitlines()
        assert not (clone / "data/model/weights.npz").exists()
        assert set(digests(clone)) - {p for p in digests(clone) if (clone / p).exists()} == {"data/model/weights.npz"}
        fetched = team.run("dvc fetch", clone)  # as the document says: without a word
        assert "ERROR" not in fetched.stderr
        assert name in team.run(find, clone).stdout
        assert not (clone / ".dvc/cache" / name).exists()

        assert f"humbleyolo/{name}" in team.bucket.keys()  # noqa: SIM118 - not a mapping
        assert "Everything is up to date" in team.run(send, team.first).stdout  # it is there, whatever it is
        team.run(remove, team.first)
        assert f"humbleyolo/{name}" not in team.bucket.keys()  # noqa: SIM118
        team.run(send, team.first)
        team.run("dvc pull", clone)
        assert Project(clone).outputs() == Project(team.first).outputs()

    def test_is_believed_without_verify_and_the_loader_refuses_it(
        self, team: Team, damage: Callable[[str], str]
    ) -> None:
        damage("data/model/weights.npz")
        clone = team.clone("believing")
        team.run("dvc remote modify --local storage verify false", clone)
        team.run("dvc pull", clone)
        assert "up to date" in team.run("dvc status", clone).stdout  # DVC's word, and wrong
        theirs, ours = ((one / "data/model/weights.npz").read_bytes() for one in (clone, team.first))
        assert theirs != ours
        done = team.run("humbleyolo predict data/dataset/test --output found.json", clone, check=False)
        assert done.returncode == 2
        assert "weights.npz" in done.stderr
        assert "Traceback" not in done.stderr

    def test_of_a_file_in_a_folder_is_refused_and_mended(self, team: Team, damage: Callable[[str], str]) -> None:
        find, _, send, mend = of(DAMAGE)
        name = damage("data/grid/val/all/images.npy")
        clone = team.clone("folder")
        refused = team.run("dvc pull", clone, check=False)
        assert refused.returncode == 1
        assert "data/grid/val" in refused.stderr
        assert name in team.run(find, clone).stdout
        # The file alone is not enough, as the document says.
        team.run(mend.replace(" data/grid/val;", ";").replace(send, ""), team.first)
        assert "Everything is up to date" in team.run(send, team.first).stdout
        team.bucket.write(f"humbleyolo/{name}", b"")  # for the recipe to remove
        assert "2 files pushed" in team.run(mend, team.first).stdout
        team.run("dvc pull", clone)
        assert Project(clone).outputs() == Project(team.first).outputs()

    def test_what_nobody_has_whole_is_made_anew(self, team: Team, damage: Callable[[str], str]) -> None:
        _, remove, send, _ = of(DAMAGE)
        name = damage("data/model/weights.npz")
        team.run(remove, team.first)
        clone = team.clone("anew")
        assert "`uv run dvc repro --pull`" in section(SHARING, DAMAGE)
        assert ran(team.run("dvc repro --pull", clone).stdout) == ["train"]
        assert Project(clone).outputs() == Project(team.first).outputs()
        team.run(send, clone)
        assert team.bucket.read(f"humbleyolo/{name}") == (clone / "data/model/weights.npz").read_bytes()


@pytest.mark.slow
class TestAPushCutShort:
    def test_killed_half_way_is_completed_by_the_next(self, team: Team, copy: Path, tmp_path: Path) -> None:
        bucket = Bucket(team.bucket.server, "half")
        team.run("dvc remote add --default storage s3://half/humbleyolo", copy)
        push = team.reader.start(["dvc", "push", "--run-cache", "--jobs", "1"], copy)
        until = time.monotonic() + 120
        while len(bucket.keys()) < 15:
            assert push.poll() is None, "it has ended before it could be killed"
            assert time.monotonic() < until
            time.sleep(0.005)
        push.kill()
        assert push.wait(60) == -9
        half, whole = set(bucket.keys()), team.remote_objects()
        assert 15 <= len(half) < len(whole)
        for key in half:  # whole or not there
            assert bucket.read(key) == (copy / ".dvc/cache" / key.removeprefix("humbleyolo/")).read_bytes()
        status, not_in_remote = of(CUT)[0].splitlines()
        assert "new:" in team.run(status, copy).stdout
        assert "Not in remote" in team.run(not_in_remote, copy).stdout

        team.run(of(BUCKET)[0].splitlines()[3], copy)  # push
        assert {key.removeprefix("humbleyolo/") for key in bucket.keys()} == whole  # noqa: SIM118
        assert "are in sync" in team.run(status, copy).stdout
        assert "Not in remote" not in team.run(not_in_remote, copy).stdout
        clone = team.clone("after-half")
        team.run("dvc remote modify storage url s3://half/humbleyolo && dvc pull", clone)
        assert Project(clone).outputs() == Project(team.first).outputs()

    def test_what_this_clone_has_lost_is_left_out_with_a_warning(self, team: Team, copy: Path) -> None:
        lost = object_name(digests(copy)["data/model/weights.npz"])
        (copy / ".dvc/cache" / lost).unlink()
        (copy / "data/model/weights.npz").unlink()
        team.run("dvc remote add --default storage ../store", copy)
        done = team.run("dvc push", copy)
        assert "WARNING" in done.stderr
        status, _ = of(CUT)[0].splitlines()
        assert re.search(r"missing:\s+data/model/weights.npz", team.run(status, copy).stdout)

    def test_a_full_disk_is_told_and_room_is_enough_to_go_on(self, team: Team, copy: Path) -> None:
        status, not_in_remote = of(CUT)[0].splitlines()
        with small_disk(size="1m") as disk:
            team.run(f"dvc remote add --default storage {disk.path / 'store'}", copy)
            done = team.run("dvc push --run-cache", copy, check=False)
            assert done.returncode == 1
            assert "No space left on device" in done.stderr
            assert "new:" in team.run(status, copy).stdout
            assert "Not in remote" in team.run(not_in_remote, copy).stdout
            disk.remount("size=64m")
            team.run("dvc push", copy)
            assert "are in sync" in team.run(status, copy).stdout

            # Records of the run cache that find no room do not count, as the document says.
            for record in (disk.path / "store/runs").rglob("*"):
                if record.is_file():
                    record.unlink()
            with (disk.path / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            full = team.run("dvc push --run-cache", copy)
            assert "No space left on device" in full.stderr
            (disk.path / "filling").unlink()
            team.run("dvc push --run-cache", copy)
            kept = {name for name in objects(copy / ".dvc/cache") if name.startswith("runs/")}
            assert kept <= objects(disk.path / "store")


@pytest.mark.slow
class TestOtherPlaces:
    def pulls(self, team: Team, project: Path, name: str) -> None:
        """Check that a clone of the first with the remotes of `project` gets all, and has nothing to run."""
        clone = team.clone(name)
        (clone / ".dvc/config").write_bytes((project / ".dvc/config").read_bytes())
        done = team.run("dvc pull --run-cache && dvc repro", clone)
        assert nothing_to_run(done.stdout)
        assert Project(clone).outputs() == Project(team.first).outputs()

    def test_a_shared_folder(self, team: Team, copy: Path, tmp_path: Path) -> None:
        (block,) = of(FOLDER)
        store = tmp_path / "srv"
        team.run(put(block, {"/srv/humbleyolo": str(store)}), copy)
        assert objects(store) >= team.remote_objects()
        self.pulls(team, copy, "from-folder")
        for folder in [one for one in (store / "files/md5").rglob("*") if one.is_dir()]:
            assert folder.stat().st_mode & stat.S_IWGRP

        damaged = store / object_name(hashlib.md5((copy / "data/dataset/val/all.zip").read_bytes()).hexdigest())
        data = damaged.read_bytes()
        damaged.chmod(0o644)
        damaged.write_bytes(flipped(data))
        clone = team.clone("from-damaged-folder")
        (clone / ".dvc/config").write_bytes((copy / ".dvc/config").read_bytes())
        refused = team.run("dvc pull", clone, check=False)
        assert refused.returncode == 1
        assert "data/dataset/val" in refused.stderr

    def test_over_ssh(self, team: Team, copy: Path, tmp_path: Path) -> None:
        (block,) = of(SSH)
        home = Path(team.reader.environment["HOME"])
        with ssh_server(tmp_path, home, "storage.example.org") as known:
            store = tmp_path / "srv"
            team.run(put(block, {"/srv/humbleyolo": str(store)}), copy)
            assert objects(store) >= team.remote_objects()
            self.pulls(team, copy, "from-ssh")
            # The document says that DVC does not look at the server's key: strange, but so it is.
            other = (home / ".ssh/id.pub").read_text()
            known.write_text(known.read_text().split()[0] + " " + other)
            refused = team.run(
                f"ssh -o BatchMode=yes -F {home}/.ssh/config storage.example.org true", tmp_path, check=False
            )
            assert "Host key verification failed" in refused.stderr
            clone = team.clone("from-anyone")
            (clone / ".dvc/config").write_bytes((copy / ".dvc/config").read_bytes())
            team.run("dvc pull data/model/model.json", clone)

    def test_a_mirror_that_can_only_be_read(self, team: Team, copy: Path, tmp_path: Path) -> None:
        pull, default = of(MIRROR)
        store = tmp_path / "www/humbleyolo"
        team.run(f"dvc remote add store {store} && dvc push --run-cache --remote store", copy)
        with http_server(tmp_path / "www", tmp_path / "http.log") as url:
            clone = team.clone("from-mirror")
            done = team.run(put(pull, {"https://data.example.org": url}), clone)
            assert nothing_to_run(done.stdout)
            assert Project(clone).outputs() == Project(team.first).outputs()

            (clone / "new").write_text("new")
            team.run("dvc add new", clone)
            refused = team.run("dvc push --remote mirror new.dvc", clone, check=False)
            assert refused.returncode != 0
            team.run("dvc remote default mirror", clone)
            team.run(default, clone)
            assert "storage" in team.run("dvc remote default", clone).stdout
            assert "remote = mirror" in (clone / ".dvc/config").read_text()

            damaged = store / object_name(digests(clone)["data/model/weights.npz"])
            data = damaged.read_bytes()
            damaged.chmod(0o644)
            damaged.write_bytes(flipped(data))
            other = team.clone("from-damaged-mirror")
            refused = team.run(put(pull, {"https://data.example.org": url}), other, check=False)
            assert refused.returncode == 1
            assert "data/model/weights.npz" in refused.stderr


@pytest.mark.slow
def test_a_tagged_model_in_an_empty_folder_has_the_reported_ap(team: Team, tmp_path: Path) -> None:
    tag, get, at_once = of(VERSION)
    team.run(tag, team.first)
    # What comes after is not in the version.
    project = Project(team.first)
    reported = json.loads((team.first / "data/evaluation/metrics.json").read_text())
    assert reported["ap"] > 0.1, "it says little to reproduce an AP of nothing"
    assert blocks(README)[3] in get

    team.run(put(get, {PROJECT_URL: str(team.origin)}), tmp_path)
    names = {"weights.npz", "model.json", "history.csv", "augmented.png", "selection.json"}
    assert {path.name for path in (tmp_path / "model").iterdir()} == names
    for name in names:
        assert (tmp_path / "model" / name).read_bytes() == (project.path / "data/model" / name).read_bytes()
    assert json.loads((tmp_path / "evaluation/metrics.json").read_text()) == reported
    assert ap_of(tmp_path / "test/all.zip", tmp_path / "found.json") == pytest.approx(reported["ap"], abs=1e-12)

    block = at_once.replace("boxes.json", "boxes.json --threshold 0.01 --format coco")
    team.run(put(block, {PROJECT_URL: str(team.origin)}), tmp_path)
    assert (tmp_path / "boxes.json").read_bytes() == (tmp_path / "found.json").read_bytes()

    unknown = team.run(f"dvc artifacts get {team.origin} model --rev v9.9.9 -o x", tmp_path, check=False)
    assert unknown.returncode != 0
    assert "Unable to find artifact" in unknown.stderr


def ap_of(archive: Path, found: Path) -> float:
    """Return COCO's AP of what `predict` found on an archive, by pycocotools."""
    with zipfile.ZipFile(archive) as file:
        truth = json.loads(file.read("annotations.json"))
    results = json.loads(found.read_text())
    images = {Path(image["file_name"]).name: image["id"] for image in truth["images"]}
    of_image = {image["id"]: images[Path(image["file_name"]).name] for image in results["images"]}
    categories = {category["name"]: category["id"] for category in truth["categories"]}
    of_category = {category["id"]: categories[category["name"]] for category in results["categories"]}
    detections = [
        one | {"image_id": of_image[one["image_id"]], "category_id": of_category[one["category_id"]]}
        for one in results["annotations"]
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(detections), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0])
