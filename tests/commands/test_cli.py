import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from repository import ROOT

import humbleyolo.commands
from humbleyolo.cli import COMMANDS, main, summary


def test_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"humbleyolo {metadata.version('humbleyolo')}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command(arguments, capsys):
    if arguments:
        with pytest.raises(SystemExit):
            main(arguments)
    else:
        main(arguments)
    shown = capsys.readouterr().out
    for name, module in COMMANDS.items():
        assert name in shown
        assert summary(module.__doc__)
        assert summary(module.__doc__) in " ".join(shown.split())


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_fits_80_columns_and_has_an_example(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([*([name] if name else []), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"\n  humbleyolo {name or ''}" in shown.partition("\nExamples")[2]
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def examples(shown):
    """Return the commands that a help shows as examples, in words as a shell divides them."""
    below = shown.partition("\nExamples")[2].splitlines()
    return [shlex.split(line)[1:] for line in below if line.startswith("  humbleyolo ")]


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_the_examples_of_a_help_are_command_lines_that_are_taken(name, monkeypatch, capsys):
    taken = []
    for one, module in COMMANDS.items():
        monkeypatch.setattr(module, "run", lambda parsed, one=one: taken.append(one) or 0)
    with pytest.raises(SystemExit):
        main([*([name] if name else []), "--help"])
    shown = examples(capsys.readouterr().out)
    assert shown
    for words in shown:
        of_help = words[-1] == "--help"
        with pytest.raises(SystemExit) as ended:
            main(["params" if word == "COMMAND" else word for word in words])
        assert ended.value.code == 0, f"{words}: {capsys.readouterr().err}"
        assert taken == ([] if of_help else [words[0]])
        assert name in (None, words[0])
        taken.clear()


def test_every_module_of_commands_is_a_command():
    folder = Path(humbleyolo.commands.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "label_options", "number_options"}
    assert modules == {module.__name__.split(".")[-1] for module in COMMANDS.values()}


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["prams"])
    assert ended.value.code == 2
    assert "prams" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["score"], ["predict", "a", "--format", "x"], ["prams"], ["check", "a", *["b"] * 60]]
)
def test_a_wrong_command_line_is_told_in_80_columns_on_a_terminal(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    told = []
    for terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        told.append(capsys.readouterr().err)
    plain, shown = told
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert shown.split() == plain.split()
    assert shown.startswith("usage: ")
    assert "error: " in plain.splitlines()[-1]  # one line, for programs that read lines


@pytest.mark.parametrize(
    "words",
    [["params", "{}"], ["params", "a", "{}"], ["params", "--{}"], ["check", "{}"], ["predict", "{}"],
     ["predict", "--list", "{}"], ["export", "--to", "{}"], ["convert", "{}", "b", "--to", "yolo"],
     ["score", "{}", "{}"], ["search", "{}"], ["next", "{}"], ["serve", "--model", "{}"]],
)  # fmt: skip
def test_a_name_that_was_typed_is_shown_and_not_sent(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([word.replace("{}", "x\n\x1b[2J\u202ey") for word in words])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert not set("\x1b\u202e") & set(out + err)
    assert r"\x1b[2J\u202ey" in err
    assert r"x\n" in err


def test_the_committed_parameters_have_no_mistakes(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        main(["params"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == "params.yaml: no mistakes\n"


def test_mistakes_are_told_with_exit_code_2(tmp_path, capsys):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("\nseed:", "\nsede:"), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["params", str(tmp_path / "params.yaml")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "3 problems" in told
    assert "sede: unknown key; did you mean seed?" in told
    assert "seed: is missing" in told
    assert f"is not a file in {tmp_path / 'data/fonts'}" in told  # fonts are looked for beside the file


def test_output_that_nobody_reads_to_the_end_is_exit_code_1():
    command = "cli.COMMANDS['params'].run = lambda _: print(*range(10**6)); cli.main(['params'])"
    code = [sys.executable, "-c", f"from humbleyolo import cli; {command}"]
    with subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        started.stdout.read(10)
        started.stdout.close()
        assert started.stderr.read() == b""
        assert started.wait() == 1


def test_it_starts_without_tensorflow():
    code = """
import sys
from humbleyolo.cli import main
try:
    main(["params"])
finally:
    print(sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "'humbleyolo.params.sections'" in done.stdout
    for heavy in ("'tensorflow'", "'keras'", "'dvc'"):
        assert heavy not in done.stdout


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "humbleyolo", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"humbleyolo {metadata.version('humbleyolo')}\n"


def test_a_labelled_folder_that_is_not_there_is_told(tmp_path, capsys):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("source: synthetic ", "source: labelled ").replace("data/fonts ", "data/labelled/cats ")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    for expected in (2, 0):
        with pytest.raises(SystemExit) as ended:
            main(["params", str(tmp_path / "params.yaml")])
        assert ended.value.code == expected
        (tmp_path / "data/labelled/cats").mkdir(parents=True, exist_ok=True)
    told = capsys.readouterr().err
    line = 1 + [row.strip().startswith("inputs:") for row in text.splitlines()].index(True)
    assert f"line {line}: dataset.inputs: '{tmp_path / 'data/labelled/cats'}' does not exist; allowed: " in told
    assert "a folder, or a zip archive, with images and labels" in told
