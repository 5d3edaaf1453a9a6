"""The commands that talk to a server: a module for each, and what they share."""
