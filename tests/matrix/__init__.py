"""The generated matrix: who holds what, against every row, alias and mount."""
