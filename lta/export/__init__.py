"""`lta export`: a trained network as one file that runs without lta."""
