"""From published files to arrays: crop, split, augment, and cache them once per machine."""
