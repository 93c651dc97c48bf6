from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.rollout.config import SamplingConfig
from guerdon.rollout.sampling import kept_tokens, sample

LOGITS = torch.tensor([[0.0, 1.0, 2.0, 3.0]])


def test_inverse_cdf_by_hand() -> None:
    # probabilities .1, .2, .3, .4: the cumulative sums are .1, .3, .6, 1
    logits_NV = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().repeat(5, 1)
    drawn = sample(
        logits_NV, torch.tensor([0.05, 0.25, 0.31, 0.59, 0.999], dtype=torch.float64), SamplingConfig()
    )
    assert drawn.token_N.tolist() == [0, 1, 2, 2, 3]
    expected = torch.tensor([0.1, 0.2, 0.3, 0.3, 0.4]).log()
    torch.testing.assert_close(drawn.logprob_N, expected)


@given(st.integers(1, 1000), st.sampled_from([3, 256, 257, 1000]), st.floats(0.2, 3.0))
@settings(max_examples=30, deadline=None)
def test_logprob_is_that_of_the_tempered_softmax(seed: int, vocabulary: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits_NV = torch.randn(6, vocabulary, generator=generator) * 4
    uniform_N = torch.rand(6, generator=generator, dtype=torch.float64)
    expected_NV = (logits_NV / temperature).log_softmax(1)
    drawn = sample(logits_NV.clone(), uniform_N, SamplingConfig(temperature=temperature))
    torch.testing.assert_close(
        drawn.logprob_N, expected_NV.gather(1, drawn.token_N[:, None])[:, 0], atol=1e-5, rtol=1e-5
    )


def test_frequencies_match_probabilities() -> None:
    generator = torch.Generator().manual_seed(0)
    num = 20_000
    uniform_N = torch.rand(num, generator=generator, dtype=torch.float64)
    drawn = sample(LOGITS.repeat(num, 1), uniform_N, SamplingConfig())
    found = torch.bincount(drawn.token_N, minlength=4) / num
    assert (found - LOGITS.softmax(1)[0]).abs().max() < 4 * math.sqrt(0.25 / num)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    generator = torch.Generator().manual_seed(0)
    logits_NV = torch.randn(9, 5000, generator=generator)
    uniform_N = torch.rand(9, generator=generator, dtype=torch.float64)
    together = sample(logits_NV.clone(), uniform_N, SamplingConfig()).token_N
    alone = [
        sample(logits_NV[i : i + 1].clone(), uniform_N[i : i + 1], SamplingConfig()).token_N.item()
        for i in range(9)
    ]
    assert together.tolist() == alone


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"top_k": 2}, [2, 3]),
        ({"top_p": 0.6}, [3]),  # probabilities .032 .087 .237 .644
        ({"top_p": 0.65}, [2, 3]),
        ({"min_p": 0.3}, [2, 3]),  # 0.3 x .644 = .193
        ({"top_k": 3, "top_p": 0.9, "min_p": 0.5}, [3]),
    ],
)
def test_truncations_by_hand(config: dict[str, float], kept: list[int]) -> None:
    settings_ = SamplingConfig.model_validate(config)
    mask = kept_tokens(LOGITS.clone(), settings_)
    assert mask is not None
    assert mask[0].nonzero()[:, 0].tolist() == kept
    drawn = sample(LOGITS.clone(), torch.tensor([0.0], dtype=torch.float64), settings_)
    support = LOGITS[0, kept].log_softmax(0)
    assert drawn.token_N.item() == kept[0]
    assert drawn.logprob_N.item() == pytest.approx(support[0].item(), abs=1e-6)


def test_extreme_numbers_never_give_an_impossible_token() -> None:
    logits_NV = torch.full((2, 600), float("-inf"))
    logits_NV[:, 300] = 0.0
    drawn = sample(logits_NV, torch.tensor([0.0, 1 - 1e-16], dtype=torch.float64), SamplingConfig())
    assert drawn.token_N.tolist() == [300, 300]
    assert drawn.logprob_N.tolist() == [0.0, 0.0]


def test_greedy_takes_the_likeliest() -> None:
    drawn = sample(LOGITS.clone(), torch.tensor([0.0], dtype=torch.float64), SamplingConfig(temperature=0.0))
    assert drawn.token_N.tolist() == [3]
    assert drawn.logprob_N.tolist() == [0.0]
