"""The paper beside ours. Imports nothing of lta and no torch: reads files that runs have left, and writes pages."""
