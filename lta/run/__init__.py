"""`lta run`: trains a network, tests it, and summarises the run."""
