"""Runs the command: `python -m livelog`."""

import sys

from .cli import main

sys.exit(main())
