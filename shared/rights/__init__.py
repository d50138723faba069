"""Who may do what in Redis: the commands and keys that each role needs, and no other.

A script runs with the rights of whoever calls it, so all that a role's scripts say is among its own. `table` is the one
place that knows; tests hold it against the scripts' text, and against real servers.
"""
