"""Pictures of anybody's: found, read and written."""
