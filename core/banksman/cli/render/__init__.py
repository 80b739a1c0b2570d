"""How things look on a terminal. Whatever comes from outside passes `text.outside` or `text.shown` first."""
