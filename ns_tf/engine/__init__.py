"""Makes TensorFlow train: devices, precision, the step, the loop."""
