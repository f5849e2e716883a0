"""The networks that ship: one ONNX file each, and its card."""
