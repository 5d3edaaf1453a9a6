"""The lines of logs: their numbers and text, searches, groups, problems, and the scanner process that finds them."""
