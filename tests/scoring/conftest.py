"""Fixtures that make and read small labelled folders."""

from folders import make  # noqa: F401
