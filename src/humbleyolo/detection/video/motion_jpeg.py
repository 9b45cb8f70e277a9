"""Motion JPEG over HTTP, as cameras send it: pictures in a row, each with headers of its own."""

from collections.abc import Iterator

from humbleyolo.detection.video.web_address import Answer
from humbleyolo.errors import UserError

_MOST_LINES = 64  # of the headers of a picture
_LINE_BYTES = 1024


def split_pictures(answer: Answer, name: str, most: int) -> Iterator[bytes]:
    """Yield each picture's bytes.

    Args:
        answer: The answer, a `multipart/x-mixed-replace`.
        name: Its address in errors.
        most: Largest number of bytes of a picture.

    Raises:
        UserError: If a picture is larger, has no length, breaks off or does not come in time.
    """
    answer.begin()
    while (length := _next_length(answer, name)) is not None:
        if not 0 < length <= most:
            raise UserError(f"{name}: tells of a picture of {length:,} bytes; 1 to {most:,} are allowed")
        data = answer.read(length)
        if len(data) < length:
            raise UserError(f"{name}: breaks off in the middle of a picture")
        yield data
        answer.begin()


def _next_length(answer: Answer, name: str) -> int | None:
    """Return the length that the headers of the next picture tell; None at the end."""
    length = None
    for _ in range(_MOST_LINES):
        line = answer.readline(_LINE_BYTES)
        if not line:
            return None
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value[:20])
        elif not line.strip() and length is not None:
            return length
    raise UserError(f"{name}: sends no picture with its Content-Length, and rows of others are not read")
