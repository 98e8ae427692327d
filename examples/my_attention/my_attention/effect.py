"""An effect of one's own: what is not attended fades to white."""


def fade(picture, attention, alpha=None, strength: float = 0.8):
    """`picture` is uint8 (3, height, width), `attention` float (height, width), 0 to 1."""
    white = (1 - attention) * strength
    return (picture * (1 - white) + 255 * white).round().to(picture.dtype)
