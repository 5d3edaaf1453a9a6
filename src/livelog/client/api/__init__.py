"""The Python API: a log that a program writes or reads."""
