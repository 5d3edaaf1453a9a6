"""Random kills, cuts, stops and replacements of a real server, with every byte and every ending checked.

`python -m tests.chaos --help` runs it for as long as wanted; `test_chaos.py` is the part that each test run has.
"""
