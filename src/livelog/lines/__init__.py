"""What is told of the lines of a log: which they are, where a text is, which belong together."""
