"""What is normal is learnt from normal images alone; what it does not explain is scored as abnormal.

Detectors are in :mod:`ganetics.anomaly.detectors`. Higher scores are more abnormal, everywhere.
"""
