"""Settings of all tests."""

from hypothesis import settings

# How long one example takes says nothing on a machine that others use too.
settings.register_profile("humbleyolo", deadline=None)
settings.load_profile("humbleyolo")
