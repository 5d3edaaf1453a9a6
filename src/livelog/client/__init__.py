"""The client: gets a log to a server, and out of it, through whatever happens on the way.

    settings     where the server is, and what opens it
    transport    one connection (`wire`), bytes that wait until they are acknowledged (`spool`), from there to a server (`sender`)
    api          a log that Python writes (`writer`) or reads (`reader`), and as other things that Python has
    commands     `run`, `push`, `tail`, `look`, `spools`, with what they share in `console`

Refuses to import the server, or anything beyond the standard library: a command must begin at once, and a job that
writes its log must not depend on what a server needs.
"""
