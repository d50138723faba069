"""Looking into what the parts of an `up` have logged: which lines, in which order, and how they read."""
