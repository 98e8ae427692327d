"""The process and what it writes: run directories, files, locks, signals, ranks. No torch."""
