"""The page on which people read a log in a browser."""
