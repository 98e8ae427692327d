"""`lta demo`: a page in the browser to try a trained network on pictures."""
