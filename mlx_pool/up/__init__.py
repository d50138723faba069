"""`mlx-pool up`: everything on one machine, started, watched, started again, and stopped without a trace.

`plan` and `restart` decide on plain values; `crew` and `kept_part` carry it out. What `up` can't do itself, because it
was killed, `guardian` does at once, or the next `up` does before it starts anything.
"""
