"""Advice for a file of a stage that is missing or damaged: the ends of error messages."""

ENCODE_AGAIN = "run `dvc repro encode`, or `dvc checkout` if it was made before"
"""Advice for the arrays of a split, and for the report beside them."""


def make_missing(stage: str) -> str:
    """Return the advice for a file of a stage that is missing."""
    return f"run `dvc repro {stage}` to make it, or `dvc pull` to fetch it"


def make_again(stage: str) -> str:
    """Return the advice for a file of a stage that cannot be read."""
    return f"run `dvc repro {stage}` to make it anew, or `dvc pull` to fetch it"
