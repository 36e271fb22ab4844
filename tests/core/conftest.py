"""The rules need no fixtures; a loaded machine is not a failed property."""

from hypothesis import settings

settings.register_profile("core", deadline=None)
settings.load_profile("core")
