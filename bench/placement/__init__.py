"""A simulated pool: what placement is worth, in simulated seconds on simulated machines, with nothing else running.

`talks` has who asks what and when, `machine` what a worker makes of it, `cache` what it has read before, `pool` lets
them meet, and `rules` are the ways to choose. Its speeds are round figures of the size that Macs have, its talks are
invented: it ranks ways to choose, and says nothing about how long anybody waits in a real pool.
"""
