"""`lta apply`: a trained network's attention, a segmentation or a mask, used for effects on pictures."""
