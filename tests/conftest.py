"""What all tests share."""

from hypothesis import settings

# The same examples at every run: a test that fails by chance tells nothing about the change.
settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")
