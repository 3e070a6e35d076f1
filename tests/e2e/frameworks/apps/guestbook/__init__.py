"""A small Django project with its tests: what a user's own live-server tests look like with the server under test."""
