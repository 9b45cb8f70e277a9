"""The frames of a clip that came, against those that it has by its own word."""

from dataclasses import dataclass, field

from humbleyolo.errors import UserError
from humbleyolo.process.terminal import counted, first_few

NEARLY_ALL = 0.9  # of the frames; fewer mean that the clip is damaged throughout, or cut short
_SHOWN = 3  # places
_SOUND = 0.25  # seconds that sound may go on after the last frame
_COUNTING = ("avi", "mov")  # containers that tell a number of frames; that of others is made of how long they are


@dataclass
class LostFrames:
    """Frames that cannot be decoded, and those that are missing at the end.

    Attributes:
        count: Number of frames that cannot be decoded.
        remarks: Facts that a person should know.
    """

    count: int = 0
    _places: int = 0
    _first: list[str] = field(default_factory=list)
    _end: str | None = None

    def add(self, count: int, seconds: float) -> None:
        """Count frames that cannot be decoded; `seconds` is the time stamp of the frame before them."""
        if count:
            self.count += count
            self._places += 1
            if self._places <= _SHOWN:
                self._first.append(f"{seconds:.2f} s")

    @property
    def remarks(self) -> list[str]:
        """Return what a person should know."""
        where = first_few(self._first, _SHOWN, count=self._places)
        damaged = f"{counted(self.count, 'frame')} cannot be decoded, after {where}: it is damaged there"
        return [damaged] * bool(self.count) + ([self._end] if self._end else [])

    def compare(
        self, name: str, number: int, seconds: float, told: float, fps: float, container: str, *, whole: bool
    ) -> None:
        """Compare the frames that came with the number that the clip tells.

        Args:
            name: The clip in errors.
            number: Number of its frames, with those that cannot be decoded.
            seconds: Time stamp of the last one.
            told: Number that it tells.
            fps: Frames per second that it tells.
            container: FFmpeg's name of the container.
            whole: False if bytes were asked for beyond its end.

        Raises:
            UserError: If more than a tenth cannot be decoded, or is missing.
        """
        if self.count > (1 - NEARLY_ALL) * number:
            raise UserError(f"{name}: {self.count:,} of {number:,} frames cannot be decoded: it is damaged")
        ends = f"ends after {number:,} of about {counted(round(told), 'frame')}: damaged, or cut short"
        trimmed = container == "mov" and whole  # players leave out what an editor trimmed, and the file keeps it
        if number < NEARLY_ALL * told and seconds + 2 / fps < NEARLY_ALL * told / fps and not trimmed:
            raise UserError(f"{name}: {ends}")
        missing = told - 1 - seconds * fps
        if number < told and missing > 0.5 and (container in _COUNTING or missing > _SOUND * fps):
            self._end = f"{ends}, or trimmed" if trimmed else ends
