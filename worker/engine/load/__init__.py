"""Loading: from a model folder to what the engine decodes with.

Importing this package imports no mlx: `preload` must get its chance to start the process anew before mlx is there.
"""

from .model import Loaded, load_model

__all__ = ["Loaded", "load_model"]
