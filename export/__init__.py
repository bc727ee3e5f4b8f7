"""Checkpoint to bundle (ONNX fp32, fp16, int8) to TensorRT engine, with a parity gate."""
