"""Two outputs of a stage, and how far they are apart."""

from pathlib import Path

import numpy as np

from humbleyolo.experiments.output_differences import how_much


def test_how_much_is_told_in_the_terms_of_the_file(tmp_path: Path) -> None:
    for name, offset in (("one", 0.0), ("two", 0.25)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "w.npz", a=np.zeros(3), b=np.full(2, offset))
        np.save(tmp_path / name / "c.npy", np.array([1.0, offset]))
        (tmp_path / name / "h.csv").write_text(f"epoch,ap\n1,0.5\n2,{offset}\n")
        (tmp_path / name / "p.png").write_bytes(b"abc" + name.encode())
        (tmp_path / name / "folder/same").mkdir(parents=True)
        (tmp_path / name / "folder/same/s.txt").write_text("same")
        (tmp_path / name / "folder" / name).write_text(name)
        np.save(tmp_path / name / "folder/d.npy", np.array([offset]))
    told = {path.name: how_much(path, tmp_path / "two" / path.name) for path in (tmp_path / "one").iterdir()}
    assert told == {
        "w.npz": "differs by 0.25 at most, in b; 1 of 2 arrays",
        "c.npy": "differs by 0.25 at most",
        "h.csv": "differs from line 3 on",
        "p.png": "differs from byte 3 on (6 and 6 bytes)",
        "folder": "d.npy differs by 0.25 at most; one is in the committed one alone; two is in the new one alone",
    }
    assert "`dvc pull`" in how_much(None, tmp_path / "two/w.npz")
    (tmp_path / "longer.csv").write_text("epoch,ap\n1,0.5\n2,0.0\n3,1\n")
    assert how_much(tmp_path / "one/h.csv", tmp_path / "longer.csv") == "differs from line 4 on"
    np.save(tmp_path / "shape.npy", np.zeros(3))
    assert how_much(tmp_path / "one/c.npy", tmp_path / "shape.npy") == "differs by inf at most"
