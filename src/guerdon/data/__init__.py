"""Problems from files, hubs, generators and synthetic worlds; the split and the feed. Torch-free."""

__all__: list[str] = []
