"""The way in: what is fetched, at what pace, and what a person is told where it cannot be."""
