"""The client: it sends logs to a server and reads them, through broken connections and restarts.

    settings     where the server is, and what opens it
    transport    one connection (`wire`), bytes that wait until they are acknowledged (`spool`), from there to a server (`sender`)
    api          a log that Python writes (`writer`) or reads (`reader`), and as other things that Python has
    commands     `run`, `push`, `tail`, `look`, `spools`, with what they share in `console`

The client imports neither the server nor anything outside the standard library: a command must start fast, and a job that
sends its log must not depend on what a server needs.
"""
