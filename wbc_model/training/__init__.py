"""Training, prediction and Grad-CAM of one network."""
