"""The parts of `bench.chat`: a chat that grows by what it is answered, and asking its next turn of a pool."""
