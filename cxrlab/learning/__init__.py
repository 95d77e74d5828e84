"""What train and score stand on: home's rows, what a network is fed, where it computes, what it costs, how far it is."""
