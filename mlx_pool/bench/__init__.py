"""`mlx-pool bench`: a load against one's own pool, over HTTP as clients have it, and what came of it in figures."""
