"""Those who generate, each measured by the same load: the pool, its engine alone, mlx-lm's own batch, other servers.

A peer is one more module here: what starts it in its own environment, and how it takes a load.
"""
