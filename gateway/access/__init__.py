"""Who may enter, under which name, and how much they may use."""
