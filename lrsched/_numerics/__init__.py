"""Building blocks of formulas that keep their digits at every count."""
