"""`mlx-pool upgrade`: another version for this machine, or for one after the other, while the pool serves.

The new version is installed in a copy of the environment, which takes the old one's place in a moment; the old one lies
beside it until all that ran is back and well. Decisions stand apart from deeds: `turns`, `health` and `wanted` decide.
"""
