"""Official file layouts: files in, checked records out."""
