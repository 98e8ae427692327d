"""Sweeps: jobs, the slots and GPUs that they share, records of them, and the table at the end."""
