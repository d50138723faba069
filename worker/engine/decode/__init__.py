"""Tensors: prefill, the decode step over all occupied slots, and the sampler. No text, no pipe, no requests.

A row's life here: `decoder` takes it in, and `admission` says when its turn is. `recall` finds what was read of it
before, and keeps what it comes to for others. `prefill` reads its ids but the last into a `KV` of `model`. It joins the
`batch`, whose step feeds one id a row and draws the next ones: `sampling` applies what `controls` has laid out of all
rows' `settings`, with `recent` ids for `penalties`, `candidates` instead of sorted vocabularies, and `noise` that
depends on nothing but seed, position and id. `likelihood` measures what was `drawn`, for rows that asked. A row that
is `alone` takes what `lookup` knows for a guess at several, as long as `guessing` finds that it pays. Then the caller
drops it.

Now and then a `gauge` tells how much memory is used (`device`, `footprint`), and `pressure` what that means: who waits,
what is let go, who has to leave.

The batch is this project's own and not mlx-lm's BatchGenerator: that one steps and samples rows apart, starts each
joining row with a step of its own, copies a group's state to split it, and sets the wired limit. What is used of mlx-lm
are its models and their caches, behind `model`.
"""
