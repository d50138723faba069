"""`mlx-pool join URL`: this machine becomes one of a pool's.

start (the address out of sight) ─► found, address ─► pool (who serves what) ─► choice ─► fit, neighbours, fetch
─► serve, or stay

What is decided and said is made of values, in `address`, `reach`, `choice` and `words`.
"""
