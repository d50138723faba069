"""The parts of `bench.failover`: a pool that can be broken, a stream that is watched, and the faults."""
