"""Text: chat templates, prompts as ids, and ids as text with its stop strings. No tensors, no pipe."""
