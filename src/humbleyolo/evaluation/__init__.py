"""A trained model measured: thresholds, mistakes, calibration, confusion, intervals, next steps."""
