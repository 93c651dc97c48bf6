"""Credit, packing and the learner: scored groups in, better weights out."""

__all__: list[str] = []
