"""Tensors: prefill, the decode step over all occupied slots, and the sampler. No text, no pipe, no requests.

A row's life here: `decoder` takes it in, and `admission` says when its turn is. `recall` finds what was read of it
before, and keeps what it comes to for others. `prefill` reads its ids but the last into a `KV` of `model`. It joins the
`batch`, whose step feeds one id a row and draws the next ones: `sampling` applies what `controls` has laid out of all
rows' `settings`, with `recent` ids for `penalties`, `candidates` instead of sorted vocabularies, and `noise` that
depends on nothing but seed, position and id. Then the caller drops it.

The batch is this project's own and not mlx-lm's BatchGenerator: that one steps and samples rows apart, starts each
joining row with a step of its own, copies a group's state to split it, and sets the wired limit. What is used of mlx-lm
are its models and their caches, behind `model`.
"""
