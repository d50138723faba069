"""`mlx-pool top`: the pool live in a terminal, once a second, from the same surveys as `status`."""
