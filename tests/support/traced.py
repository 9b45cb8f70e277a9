"""A stage run under `strace`: the files and folders that it and its workers opened, wrote and connected to."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from repository import ROOT
from ruamel.yaml import YAML
from tiny_project import Project

HERE = Path(__file__).resolve().parent
INSTALLED = ROOT / "src"  # on Python's path behind the project's own
_OPENING = "open,openat,openat2,creat,execve,execveat"
_CHANGING = (
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,truncate,chmod,"
    "fchmodat,chown,fchownat,utimensat,mknod,mknodat"
)
_TALKING = "connect,listen,sendto,sendmsg"  # TensorFlow binds a port to see whether there is IPv6, no more
_RESULT = re.compile(r"\) += (-?\d+)(?:<(.*)>)?[^<>]*$")
_NAMED = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')


def why_not() -> str | None:
    """Return why nothing can be traced here, or None."""
    if shutil.which("strace") is None:
        return "needs strace (apt-get install strace)"
    done = subprocess.run(["strace", "-f", "--seccomp-bpf", "true"], capture_output=True, text=True)
    return f"strace cannot work here: {done.stderr}" if done.returncode else None


@dataclass
class Trace:
    """What a stage did.

    Attributes:
        read: Files that were opened; of a module's byte code, its source.
        listed: Folders that were opened.
        written: Files and folders that were made, changed, renamed or removed.
        talked: Calls that reach beyond this machine's files.
        sections: Of `params.yaml`, that were asked for.
        leaves: Of these, those that were read by name.
    """

    read: set[Path] = field(default_factory=set)
    listed: set[Path] = field(default_factory=set)
    written: set[Path] = field(default_factory=set)
    talked: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    leaves: set[str] = field(default_factory=set)

    def leaves_of_sections(self) -> set[str]:
        """Return what was read of the sections that were asked for, and not of what a file of a model says."""
        return {leaf for leaf in self.leaves if leaf.partition(".")[0] in self.sections}


@dataclass(frozen=True)
class Stage:
    """What `dvc.lock` says of a stage."""

    name: str
    command: list[str]
    deps: list[str]
    outs: list[str]

    @classmethod
    def of(cls, project: Project, name: str) -> "Stage":
        """Read it."""
        entry = YAML(typ="safe").load(project.path / "dvc.lock")["stages"][name]
        deps, outs = ([one["path"] for one in entry[kind]] for kind in ("deps", "outs"))
        return cls(name, shlex.split(entry["cmd"]), deps, outs)


def trace_stage(project: Project, stage: Stage, scratch: Path) -> Trace:
    """Run the command of a stage, and return what it did.

    Args:
        project: Where.
        stage: Which.
        scratch: An empty folder. `home` and `tmp` in it are the only ones that the stage is told of.
    """
    python, module, name, *arguments = stage.command
    assert (python, module) == ("python", "-m")
    for folder in ("home", "tmp", "log"):
        (scratch / folder).mkdir(parents=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(scratch / "home"), "TMPDIR": str(scratch / "tmp")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "READS_LOG": str(scratch / "reads")}
    strace = ["strace", "-ff", "--seccomp-bpf", "-y", "-s", "4096", "-o", str(scratch / "log/of")]
    calls = ["-e", f"trace={_question(_OPENING)},{_question(_CHANGING)},{_question(_TALKING)}"]
    command = [sys.executable, str(HERE / "trace_params.py"), name, *arguments]
    done = subprocess.run(
        [*strace, *calls, *command], cwd=project.path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    trace = Trace()
    for log in sorted((scratch / "log").iterdir()):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            _note(line, trace, project.path)
    read_log(scratch / "reads", trace)
    return trace


def read_log(log: Path, trace: Trace) -> None:
    """Note what `trace_params.py` logged."""
    lines = log.read_text(encoding="utf-8").splitlines()
    trace.sections = [line.split()[1] for line in lines if line.startswith("section ")]
    trace.leaves = {line.split()[1] for line in lines if line.startswith("leaf ")}


def _question(names: str) -> str:
    """Let strace pass over what this machine's kernel has no call for."""
    return ",".join(f"?{name}" for name in names.split(","))


def _note(line: str, trace: Trace, cwd: Path) -> None:
    call, _, rest = line.partition("(")
    found = _RESULT.search(rest)
    if found is None or (found[1].startswith("-") and call not in _TALKING.split(",")):
        return  # a signal, or what did not happen
    if call in _TALKING.split(","):
        if call == "listen" or "AF_INET" in rest:
            trace.talked.append(line)
    elif call in _CHANGING.split(","):
        for folder, name in _NAMED.findall(rest[: found.start()]):
            trace.written.add(Path(os.path.normpath(Path(folder or cwd, json.loads(f'"{name}"')))))
    elif call.startswith("execve"):
        trace.read.add(Path(cwd, _NAMED.search(rest)[2]))
    else:
        path, flags = Path(found[2].removesuffix(" (deleted)")), rest[: found.start()]
        if "O_TMPFILE" in flags:
            return  # has no name, and is gone when it is closed
        if re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)|^creat", flags):
            trace.written.add(path)
        elif "O_DIRECTORY" in flags or path.is_dir():
            trace.listed.add(path)
        else:
            trace.read.add(_source_of(path))


def _source_of(path: Path) -> Path:
    """Return the module that a file of byte code was made of, else the path itself."""
    if path.suffix == ".pyc" and path.parent.name == "__pycache__":
        return Path(importlib.util.source_from_cache(str(path)))
    return path


def find_problems(trace: Trace, stage: Stage, project: Project, scratch: Path) -> list[str]:
    """Return what a stage did that `dvc.yaml` does not declare, and what it declares that it did not, in words."""
    root = project.path
    deps, outs = ([root / path for path in paths] for paths in (stage.deps, stage.outs))
    folder, kept = root / stage.command[-1], root / ".humbleyolo"  # checkpoints and records are no outputs
    system = [Path(sys.prefix), Path(sys.base_prefix), scratch / "tmp"]
    system += map(Path, ("/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/sbin", "/sys", "/usr"))
    tracer = [HERE / "trace_params.py", scratch / "reads"]
    of_dvc = [root / "params.yaml", root / ".dvcignore"]  # the second says which files of an input count
    may_read = [*deps, *outs, *of_dvc, *system, *tracer]
    if "--checkpoint" in stage.command:
        may_read.append(kept)
    # Python looks into the folders of its modules. A folder is opened to make what was renamed in it last.
    may_list = [*may_read, root / "src", root / "stages", kept, HERE]
    parents = {root, folder, folder.parent, INSTALLED, *(out.parent for out in outs)}
    may_write = [*outs, kept, folder, scratch / "tmp", scratch / "reads", Path("/dev"), Path("/proc")]
    names = {path.name for out in outs for path in (out, *out.rglob("*"))}

    def half_written(path: Path) -> bool:
        return any(re.fullmatch(rf"\.{re.escape(name)}\.partial\d*", path.name) for name in names)

    def declared(path: Path) -> bool:
        return path == folder or _within(path, [*outs, kept]) or half_written(path)

    problems = [f"reads {path}" for path in trace.read if not (_within(path, may_read) or half_written(path))]
    problems += [f"lists {path}" for path in trace.listed if not _within(path, may_list) and path not in parents]
    problems += [
        f"writes {path}"
        for path in trace.written
        if not (_within(path, may_write) or half_written(path)) or (_within(path, [folder]) and not declared(path))
    ]
    problems += [f"talks: {call}" for call in trace.talked]
    for dep in deps:
        if not any(path.is_relative_to(dep) for path in (trace.read | trace.listed)):
            problems.append(f"never reads {dep}")
    return sorted(problem.replace(f"{root}/", "") for problem in problems)


def _within(path: Path, folders: list[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
