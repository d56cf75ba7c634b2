"""Which image sizes a pair can make."""

from trainers.errors import UserError


def require_power_of_two(network: str, image_size: int, least: int) -> None:
    """Check the side of the images, for pairs that double from 4 pixels on.

    Raises:
        UserError: `image_size` is no power of two, or below `least`.
    """
    if image_size < least or image_size & (image_size - 1):
        raise UserError(
            f"network {network} makes images whose side is a power of two from {least} on, not of {image_size} pixels"
        )
