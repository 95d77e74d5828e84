"""What pages say of sites and runs, as tables and sentences that a test can hold to account."""
