"""The stages of `benchmarks/gpu_day.py`, one idea a file."""
