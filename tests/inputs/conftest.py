"""Fixtures that make and read small labelled folders."""

from folders import make, one  # noqa: F401
