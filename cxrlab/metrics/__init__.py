"""Arrays → numbers, each with its support, its interval, or the reason why it is undefined."""
