"""Models by name: what there is, where its weights lie, how they come here, and what fits this machine.

This room knows no broker and no queue's keys; mlx and the hub's client are imported only inside the verbs that need
them, so that a worker may ask for names in an environment that has neither.
"""
