"""kotaci: the investigation kit for GitHub Actions that are red, flaky or slow."""

__version__ = "0.1.0"
