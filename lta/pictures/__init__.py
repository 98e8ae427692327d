"""Pictures of any kind and size, read from files and written to files."""

from lta.pictures.find import find_images
from lta.pictures.read import Picture, UnusablePicture, read_image
from lta.pictures.write import write_image

__all__ = ["Picture", "UnusablePicture", "find_images", "read_image", "write_image"]
