"""Where a network looked: maps, and how far to believe them."""
