"""The site: the documents of this repository as pages for browsers and as Markdown for programs.

`python -m website` builds it into `dist/site`. `zensical.toml` beside this file has the navigation, which is the one list of
pages; `pages` finds a document's place in the site and turns its links; `api` writes the page of the Python interface.
"""
