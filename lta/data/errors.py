"""What goes wrong with data for reasons the user can do something about."""


class DataError(ValueError):
    """Data are missing, damaged or not laid out as expected. The message is one line: what, where, what to do."""
