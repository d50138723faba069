"""The MLX side of a machine: a process that owns a model and speaks JSON lines; it knows no queue, Redis or HTTP."""
