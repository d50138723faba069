"""What the path of a token costs, from the engine's pipe to the client's socket: throughput, delay, memory."""
