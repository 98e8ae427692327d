"""`lta evaluate`: evaluators run on trained networks, and their answers written into the runs."""
