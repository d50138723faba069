"""Tensors: prefill, the decode step over all occupied slots, and the sampler. No text, no pipe, no requests."""
