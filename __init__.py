"""toonfilter: real-time cartoon video that keeps expression, head pose and gaze, and never the face."""

__version__ = "0.1.0"
