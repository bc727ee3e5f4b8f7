"""Which file names are taken for pictures and for videos."""

from pathlib import Path

PICTURES_WRITTEN = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".apng", ".avif")
PICTURES_READ = (*PICTURES_WRITTEN, ".heic", ".heif", ".hif", ".jpe", ".dib", ".ppm", ".tga")

MP4_KINDS = (".mp4", ".m4v", ".mov")
"""One container, by its names."""
VIDEOS_WRITTEN = (*MP4_KINDS, ".mkv", ".webm")
VIDEOS_READ = (
    *VIDEOS_WRITTEN,
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".mjpeg", ".mjpg", ".mpe"),
    *(".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".wmv"),
)


def is_picture(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in PICTURES_READ


def is_video(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in VIDEOS_READ


def is_hidden(path: Path, below: Path) -> bool:
    """Whether a part of the path below a folder begins with a dot, as macOS's `._NAME` and work folders do."""
    return any(part.startswith(".") for part in path.relative_to(below).parts)
