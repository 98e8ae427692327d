"""How many channels a layer has at another width than the published one."""


def scale_channels(base: int, width: float) -> int:
    """`base` times `width`, rounded; raises ValueError where nothing would be left."""
    if round(base * width) < 1:
        raise ValueError(f"model.width={width} leaves {base * width:g} of {base} channels; it must be at least 1/{base}")
    return round(base * width)
