"""The parts of `bench.sameness`: one ask run in several ways, and a judge of where its answers part."""
