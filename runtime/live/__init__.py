"""From the webcam to the virtual camera: sources, pipeline, output policy, sinks."""
