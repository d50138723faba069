"""What a monitor is told: of this process, and of the whole pool, under our own names and those that others know.

The way of a token counts in plain numbers (`gateway.delivery.Tally`, `figures`); they become metrics when somebody
scrapes. Names, models, tenants and counts only: nothing of any prompt or answer, and no label that a client can choose.
"""
