"""How far a site is from home, and of what kind the shift is."""
