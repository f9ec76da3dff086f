"""The workflow audit."""
