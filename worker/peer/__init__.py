"""Models from one machine to another: a worker gives away what it has, and a machine that joins takes it from there.

    giving   stock (a folder's manifest) ─► door (HTTP, by a process of its own: `python -m worker.peer`)
    taking   take (from several at once) ─► source (one connection) ─► manifest (what is believed, and what is not)

The manifest's SHA-256 is told through the pool's Redis, so the way between the machines need not be trusted.
"""
