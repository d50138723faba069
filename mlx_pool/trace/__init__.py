"""A job followed while it runs, across machines: what befalls it, when, and how long each part took."""
