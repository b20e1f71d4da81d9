"""What the manual is generated from: the program, and what its words mean."""
