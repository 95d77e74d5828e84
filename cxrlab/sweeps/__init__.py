"""Many runs at once: which ones, carried out in waves, found again, told as one table."""
