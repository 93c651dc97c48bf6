"""The model floor: loading, chat rendering, attention layouts, float32 log-probabilities.

`load_policy(config, seed)` is the door; importing this package does not import torch.
"""

__all__: list[str] = []
