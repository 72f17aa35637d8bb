//! Calibrates one HST dataset, start to end.
