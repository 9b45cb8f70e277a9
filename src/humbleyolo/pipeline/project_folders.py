"""Folders of a project, relative to it, in which commands look; `dvc.yaml` names them to the stages."""

DATASET = "data/dataset"
"""Outputs of `generate`."""

GRID = "data/grid"
"""Outputs of `encode`."""

MODEL = "data/model"
"""Outputs of `train`, here or in a git repository that a model is fetched from."""
