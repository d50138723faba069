"""The operator's command, `mlx-pool`: it starts the pool's parts as processes and talks to them like any client.

It imports nothing of gateway and worker: their flags belong to their own `__main__`.
"""
