"""Settings of the property tests: no deadline for one example, since the machine may be busy.

Where `CI` is set, hypothesis takes its own profile as the base, which always tries the same examples.
"""

from hypothesis import settings

settings.register_profile("livelog", deadline=None)
settings.load_profile("livelog")
