"""`lta predict`: a trained network's answers for a folder of pictures."""
