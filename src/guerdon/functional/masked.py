"""What a mask means: a masked position may hold anything, NaN included, and counts for nothing.

Axes: B rows, T tokens. Multiplying by the mask is not enough: NaN * 0 is NaN, in value and gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def zeroed(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """The values, 0 with zero gradient where masked; same shape.

    >>> from torch import tensor
    >>> zeroed(tensor([[2.0, float("nan")]]), tensor([[1, 0]]))
    tensor([[2., 0.]])
    """
    return values_BT.masked_fill(~mask_BT.bool(), 0.0)


def masked_mean(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean over all unmasked tokens, a scalar; 0 where there is none.

    >>> from torch import tensor
    >>> masked_mean(tensor([[2.0, float("nan")], [4.0, 6.0]]), tensor([[1, 0], [1, 1]]))
    tensor(4.)
    """
    return zeroed(values_BT, mask_BT).sum() / mask_BT.sum().clamp(min=1)


def row_mean(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean over each row's unmasked tokens [B, 1]; 0 for a row without any.

    >>> from torch import tensor
    >>> row_mean(tensor([[2.0, float("nan")], [4.0, 6.0]]), tensor([[1, 0], [1, 1]])).tolist()
    [[2.0], [5.0]]
    """
    return zeroed(values_BT, mask_BT).sum(1, keepdim=True) / mask_BT.sum(1, keepdim=True).clamp(min=1)


def full_precision(values: Tensor) -> Tensor:
    """The values in float32; float64 stays.

    >>> full_precision(torch.tensor(1.0, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
