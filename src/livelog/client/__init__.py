"""The client: gets a log to a server, and out of it, through whatever happens on the way.

    settings    where the server is, and what opens it
    spool       bytes that a server has not acknowledged yet
    wire        one connection of a producer
    sender      from a spool to a server, by resumable uploads
    writer      a log as a file that Python writes to
    reader      a log as bytes or lines that Python reads
    process     a command's output to the terminal and to a log
    run, push, tail, look    the commands, with what they share in console and lookup

Refuses to import the server, or anything beyond the standard library: a command must begin at once, and a job that
writes its log must not depend on what a server needs.
"""
