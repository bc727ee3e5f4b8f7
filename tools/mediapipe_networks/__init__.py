"""From MediaPipe's TensorFlow Lite files to the ONNX files in `runtime/faces/networks`; run once, by hand."""
