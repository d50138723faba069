"""The parts of `bench.memory`: what an engine is asked for, and one that counts what it holds."""
