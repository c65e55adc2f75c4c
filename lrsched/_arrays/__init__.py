"""Which array library a call uses; Python numbers as one of them."""
