"""The scripted engine: the pipe's contract without a model, for tests, chaos and overhead benches.

    python -m worker.engine.scripted --slots 16 --step-ms 5

The next id is a hash of the prompt, the seed and *all ids so far*, so that a wrong resume shows in the very next token.
Ids stand for 0 to 3 characters, or for halves of characters, so that text is held back as with a real tokenizer.
`oracle.expected` says what a request is answered with; a test compares the two byte for byte. With `--words hostile`
they stand for all that readers of streams, terminals and pages may take for something else than text.

It breaks when told to: `--fault crash@12` at the process's 12th step, `[[crash@5]]` in a prompt before the fifth id of
that generation, on every attempt. The faults' table is in `faults`. It calls tools when told to: `calls`. No mlx, no
redis, ready in a tenth of a second.
"""
