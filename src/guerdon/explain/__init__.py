"""What a run folder says, told to a person: report.html, and the table a run ends with.

Reads files only; knows neither the trainer nor torch.
"""

__all__: list[str] = []
