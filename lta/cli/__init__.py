"""How commands read their settings: composition, checks, one-line errors, and the gate for what may be called. No torch."""
