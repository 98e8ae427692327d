"""The paper beside ours: reads files that runs have left, and writes pages.

Imports no torch, and nothing of lta but `cli.migrate`.
"""
