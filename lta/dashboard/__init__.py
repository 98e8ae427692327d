"""`lta dashboard`: the W&B view of a project, made from code."""
