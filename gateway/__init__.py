"""The HTTP side: validates, submits, subscribes, relays. No model, no tokenizer, no state worth keeping."""
