"""GRPO on one page: a toy model, a toy task, and nothing of Guerdon but its mathematics.

    prompts --sample--> answers --reward--> numbers --advantage--> credit --loss--> gradient --Adam--> better policy

The task: for a digit d, answer d + 1 (mod 10), then stop. Half the reward is for the first token, half for stopping
right after it. Read it from the top; run it with `python recipes/tiny_grpo.py` (a few seconds, no GPU). It is also the
oracle of the test suite: every number is deterministic, and `run` takes any module that maps tokens to logits.
Watch the reward, not the loss: advantages average to zero, so the loss says little about progress.

Axes: P prompts, G answers per prompt, B = P x G rows, T answer tokens, V vocabulary, S tokens of prompt and answer.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from guerdon.functional.advantages import group_zscore
from guerdon.functional.aggregate import Totals, sequence_mean
from guerdon.functional.kl import k3
from guerdon.functional.masked import masked_mean
from guerdon.functional.ratios import log_ratio, token_ratio
from guerdon.functional.surrogates import clip

NUM_DIGITS, STOP, START = 10, 10, 11  # the words: ten digits, stop, start
V = 12
MAX_LENGTH = 4
G = 8
NUM_ITERATIONS = 2
"""Updates per batch of answers: from the second on the policy is no longer the one that sampled, and the ratio matters."""
BETA = 0.02
LEARNING_RATE = 1e-2


class TinyPolicy(nn.Module):
    """Embedding, GRU, head: tokens [B, S] to the logits of each next token [B, S, V]."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, V)

    def forward(self, tokens_BS: Tensor) -> Tensor:
        """Logits of the token after each position."""
        return self.head(self.gru(self.embedding(tokens_BS))[0])


class Batch(NamedTuple):
    """Everything known about the answers of one step. Tokens after the stop are masked."""

    tokens_BS: Tensor
    mask_BT: Tensor
    behavior_logprobs_BT: Tensor
    rewards_B: Tensor
    group_B: Tensor


class Record(NamedTuple):
    """One line of the table."""

    step: int
    reward: float
    losses: list[float]
    """One per update of the step."""
    kl: float
    length: float


def prompts() -> Tensor:
    """Each digit once, as start and digit [P, 2]."""
    digits_P = torch.arange(NUM_DIGITS)
    return torch.stack([torch.full_like(digits_P, START), digits_P], dim=1)


def token_logprobs(policy: nn.Module, tokens_BS: Tensor, num_prompt: int) -> Tensor:
    """Log-probability of every answer token [B, T]: the logits at one position speak about the next token."""
    logprobs_BSV = policy(tokens_BS[:, :-1]).log_softmax(-1)
    return logprobs_BSV.gather(2, tokens_BS[:, 1:, None])[:, num_prompt - 1 :, 0]


@torch.no_grad()
def sample(
    policy: nn.Module, prompts_BP: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """MAX_LENGTH tokens after each prompt, at temperature 1.

    Returns:
        tokens [B, S], mask of what counts (up to and with the stop) [B, T], log-probs as sampled [B, T].
    """
    tokens_BS = prompts_BP
    for _ in range(MAX_LENGTH):
        chances_BV = policy(tokens_BS)[:, -1].softmax(-1)
        # Inverse transform: one uniform number a row, so that nothing but the generator decides.
        uniform_B1 = torch.rand(len(tokens_BS), 1, generator=generator)
        next_B = (chances_BV.cumsum(-1) < uniform_B1).sum(-1).clamp(max=V - 1)
        tokens_BS = torch.cat([tokens_BS, next_B[:, None]], dim=1)
    answers_BT = tokens_BS[:, prompts_BP.shape[1] :]
    stopped_before_BT = ((answers_BT == STOP).cumsum(1) - (answers_BT == STOP).long()) > 0
    return tokens_BS, ~stopped_before_BT, token_logprobs(policy, tokens_BS, prompts_BP.shape[1])


def reward(tokens_BS: Tensor) -> Tensor:
    """1/2 for the right digit, 1/2 more for stopping right after it [B]."""
    right_B = tokens_BS[:, 2] == (tokens_BS[:, 1] + 1) % NUM_DIGITS
    return 0.5 * right_B + 0.5 * (right_B & (tokens_BS[:, 3] == STOP))


def rollout(policy: nn.Module, generator: torch.Generator) -> Batch:
    """G answers to every prompt, with their rewards."""
    prompts_BP = prompts().repeat_interleave(G, dim=0)
    tokens_BS, mask_BT, behavior_BT = sample(policy, prompts_BP, generator)
    group_B = torch.arange(NUM_DIGITS).repeat_interleave(G)
    return Batch(tokens_BS, mask_BT, behavior_BT, reward(tokens_BS), group_B)


def grpo_loss(policy: nn.Module, reference: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """The loss of GRPO (arXiv:2402.03300, eq. 3), and the mean KL per token.

    1/B sum_i 1/|o_i| sum_t [ -min(ratio A, clip(ratio, 0.8, 1.2) A) + beta k3 ]
    """
    mask_BT, lengths_B = batch.mask_BT, batch.mask_BT.sum(1)
    num_prompt = batch.tokens_BS.shape[1] - mask_BT.shape[1]
    # Better than its siblings by how many deviations? One number per answer, shared by its tokens.
    advantages_B = group_zscore(batch.rewards_B, batch.group_B, lengths_B)
    advantages_BT = advantages_B[:, None].expand(mask_BT.shape)
    # Four log-probs: now (with gradient), old (start of the step; here the policy that sampled), ref (the anchor).
    logprobs_BT = token_logprobs(policy, batch.tokens_BS, num_prompt)
    old_logprobs_BT = batch.behavior_logprobs_BT
    with torch.no_grad():
        ref_logprobs_BT = token_logprobs(reference, batch.tokens_BS, num_prompt)
    ratio_BT = token_ratio(log_ratio(logprobs_BT, old_logprobs_BT, mask_BT), mask_BT)
    policy_BT = clip(0.2, 0.2)(ratio_BT, advantages_BT, logprobs_BT, mask_BT)
    kl_BT = k3(logprobs_BT, ref_logprobs_BT, batch.behavior_logprobs_BT, mask_BT)
    prompt_tokens_B = torch.zeros(NUM_DIGITS).index_add(0, batch.group_B, lengths_B.float())[batch.group_B]
    totals = Totals(
        num_sequences=float(len(mask_BT)),
        num_tokens=float(mask_BT.sum()),
        num_prompts=float(NUM_DIGITS),
        max_length=MAX_LENGTH,
        prompt_tokens_B=prompt_tokens_B,
    )
    loss = sequence_mean(policy_BT + BETA * kl_BT, mask_BT, totals)
    return loss, masked_mean(kl_BT.detach(), mask_BT)


def run(num_steps: int = 60, seed: int = 0, policy: nn.Module | None = None) -> list[Record]:
    """Train, and say how it went; the same arguments give the same numbers.

    Args:
        num_steps: batches of answers, each with NUM_ITERATIONS updates.
        seed: of the weights (where `policy` is not given) and of the sampling.
        policy: trained in place; any module from tokens [B, S] to logits [B, S, V].
    """
    if policy is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            policy = TinyPolicy()
    reference = copy.deepcopy(policy)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    generator = torch.Generator().manual_seed(seed)
    records = []
    for step in range(1, num_steps + 1):
        batch = rollout(policy, generator)
        losses, kl = [], torch.zeros(())
        for _ in range(NUM_ITERATIONS):
            loss, kl = grpo_loss(policy, reference, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        length = batch.mask_BT.sum(1).float().mean().item()
        records.append(Record(step, batch.rewards_B.mean().item(), losses, kl.item(), length))
    return records


def main() -> None:
    torch.set_num_threads(1)  # matrices this small are slower on many threads
    print(f"{'step':>4}  {'reward':>6}  {'loss':>15}  {'kl':>6}  {'length':>6}")
    for record in run():
        if record.step == 1 or record.step % 5 == 0:
            losses = " ".join(f"{loss:7.4f}" for loss in record.losses)
            print(
                f"{record.step:>4}  {record.reward:>6.3f}  {losses}  {record.kl:>6.3f}  {record.length:>6.2f}"
            )


if __name__ == "__main__":
    main()
