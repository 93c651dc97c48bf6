"""Sampling answers: requests in, completions with the log-probability of what was really sampled out."""

__all__: list[str] = []
