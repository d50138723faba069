"""What a measurement stands on: the pool's parts as processes, what they use of the machine, and what machine."""
