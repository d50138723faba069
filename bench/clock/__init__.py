"""An engine whose every token is the time at which it was written, for the client to subtract from its own."""
