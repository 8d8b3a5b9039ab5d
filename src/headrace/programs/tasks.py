"""The jobs of programs."""
