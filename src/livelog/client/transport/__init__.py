"""How bytes get to a server and out of it: connections, uploads, and the spool in which bytes wait until they are acknowledged."""
