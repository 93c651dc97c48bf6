"""A reward model: a backbone that reads a conversation and a response, and heads that say how good it is.

    guerdon's own folder       config.json, model.safetensors, tokenizer   plus  reward_model.json, reward_heads.safetensors
    anybody's folder           AutoModelForSequenceClassification with one label (TRL's RewardTrainer, hub models)

A scalar head on a causal LM is stored as transformers' own `score` layer, so plain `AutoModelForSequenceClassification`
loads Guerdon's reward models too; it then sees u, without bias and squashing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from guerdon.core.errors import ModelError
from guerdon.core.types import Problem
from guerdon.models.attention import PackedLayout, SegmentLayout
from guerdon.models.heads import Readout, RewardHeads
from guerdon.models.policy import Policy
from guerdon.models.reward_input import Encoded, RewardInput
from guerdon.models.reward_meta import FORMAT, vocabulary_hash
from guerdon.models.version import META

HEADS = "reward_heads.safetensors"


class Pass(NamedTuple):
    """One forward pass over packed prompts and responses."""

    layout: PackedLayout | SegmentLayout
    tokens_T: Tensor
    end_B: Tensor
    """Index of each response's last token; of an encoder, -1: the mean of segment b is read."""
    prompt_end_B: Tensor
    """Index of the last token of its prompt; of an encoder, the prompt's segment."""
    segment_T: Tensor | None = None
    """Of an encoder: which segment each token belongs to. Prompts come first, then responses with their prompts."""
    critique_C: Tensor | None = None
    """Index of every critique token, where their log-probabilities are wanted."""


class Shown(NamedTuple):
    """What a reward model scores: responses to one problem, and what belongs to each."""

    problem: Problem
    responses: Sequence[str]
    verdicts: Sequence[str | None] | None = None
    """What a rule said of each."""
    critiques: Sequence[str] | None = None
    """One of each. A model that writes critiques writes its own where they are None."""


Writer = Callable[[Sequence[Shown]], list[list[list[str]]]]
"""Critiques of each response of each item, as many as the model has votes."""


class RewardScores(NamedTuple):
    """Scores of some responses; NaN where a response was too long to be read."""

    score_B: Tensor
    """In [-1, 1]."""
    u_B: Tensor
    members_EB: Tensor | None
    attributes_BK: Tensor | None
    bias_B: Tensor | None = None
    """b(x), the level of the prompt."""
    critiques: tuple[tuple[str, ...], ...] = ()
    """What the model wrote of each response before it scored; empty: it writes nothing."""
    num_tokens: int = 0
    """Read for them: prompts and responses, as often as they were read."""


@dataclass(slots=True)
class RewardModel:
    """A loaded reward model. Mutable on purpose: the learner updates its weights in place."""

    trunk: Policy
    heads: RewardHeads
    reader: RewardInput
    encoder: bool
    version: str
    """Hash of the files it came from; "untrained" before the first save."""
    writer: Writer | None = None
    """Of a model that writes critiques: samples them from its trunk (run/critiques.py)."""

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Name to parameter of all that is trained: the trunk's (or its adapters') and the heads'.

        The LM head takes part in writing critiques only.
        """
        head = self.trunk.causal_lm.get_output_embeddings() if not self.encoder else None
        tied = head is not None and head.weight is self.trunk.causal_lm.get_input_embeddings().weight
        writes = self.reader.config.critique is not None
        unused = {id(head.weight)} if head is not None and not tied and not writes else set()
        pooler = getattr(self.trunk.causal_lm, "pooler", None)
        unused |= {id(weight) for weight in pooler.parameters()} if pooler is not None else set()
        found = {
            f"trunk.{name}": weight
            for name, weight in self.trunk.trainable().items()
            if id(weight) not in unused
        }
        return found | {f"heads.{name}": weight for name, weight in self.heads.named_parameters()}

    def encode(
        self,
        problem: Problem,
        responses: Sequence[str],
        verdicts: Sequence[str | None] | None = None,
        critiques: Sequence[str] | None = None,
    ) -> Encoded:
        """Token ids, as `RewardInput.encode`."""
        return self.reader.encode(problem, responses, verdicts, critiques)

    def count_tokens(self, text: str) -> int:
        """The length of a text by this model's tokenizer."""
        return len(self.trunk.encode(text))

    def plan(
        self,
        families: Sequence[tuple[tuple[int, ...], Sequence[tuple[int, ...]]]],
        critique_starts: Sequence[int] = (),
    ) -> Pass:
        """One forward pass over (prompt ids, ids of its responses); rows come in the order given.

        Args:
            families: prompts and responses.
            critique_starts: of each row, where its critique begins; then the log-probabilities of critiques are read too.
        """
        device = self.trunk.device
        if self.encoder:
            return _encoder_pass(families, device)
        tokens: list[int] = []
        ends: list[int] = []
        prompt_ends: list[int] = []
        critique: list[int] = []
        starts = iter(critique_starts)
        for prompt, responses in families:
            tokens += prompt
            last = len(tokens) - 1
            for response in responses:
                critique += range(len(tokens) + next(starts, len(response)), len(tokens) + len(response) - 1)
                tokens += response
                ends.append(len(tokens) - 1)
                prompt_ends.append(last)
        layout = PackedLayout(
            [len(prompt) for prompt, _ in families],
            [[len(response) for response in responses] for _, responses in families],
        )
        found = [
            torch.tensor(items, dtype=torch.long, device=device) for items in (tokens, ends, prompt_ends)
        ]
        spoken = torch.tensor(critique, dtype=torch.long, device=device) if critique_starts else None
        return Pass(layout.to(device), found[0], found[1], found[2], critique_C=spoken)

    def read(self, plan: Pass) -> Readout:
        """Run the trunk and read the heads; differentiable."""
        layout = plan.layout
        hidden_TH = self.trunk.hidden(plan.tokens_T[None], layout.position_T[None], layout)[0]
        if plan.segment_T is not None:
            hidden_TH = _segment_means(hidden_TH.float(), plan.segment_T)
        read: Readout = self.heads(
            hidden_TH.index_select(0, plan.end_B), hidden_TH.index_select(0, plan.prompt_end_B)
        )
        if plan.critique_C is None:
            return read
        target_C = plan.tokens_T[plan.critique_C]
        said = self.trunk.logprobs(hidden_TH.index_select(0, plan.critique_C - 1), target_C)
        return read._replace(critique_C=said.logprobs_T)

    @torch.no_grad()
    def score(self, items: Sequence[Shown], *, max_tokens: int = 8192) -> list[RewardScores]:
        """Scores of the responses to each problem; critiques that are missing are written first.

        Args:
            items: problems, their responses, and what belongs to each.
            max_tokens: token budget of one forward pass.

        Raises:
            ModelError: the model writes critiques, and has nothing to write with.
        """
        self.heads.eval()
        votes = self._votes(items)
        shown = [_voted(item, found) for item, found in zip(items, votes, strict=True)]
        encoded = [self.encode(*item) for item in shown]
        scores = [one for part in _budgeted(encoded, max_tokens) for one in self._scores(part)]
        counts = [_num_read(item, encoder=self.encoder) for item in encoded]
        return [
            _mean_vote(one, found)._replace(num_tokens=count)
            for one, found, count in zip(scores, votes, counts, strict=True)
        ]

    def _votes(self, items: Sequence[Shown]) -> list[list[list[str]]]:
        """Critiques of each response of each item; of a model that writes none: no lists."""
        if self.reader.config.critique is None:
            return [[] for _ in items]
        missing = [item for item in items if item.critiques is None]
        if missing and self.writer is None:
            raise ModelError(
                f"{self.trunk.source}: this reward model writes a critique before it scores; give it a writer, or critiques"
            )
        written = iter(self.writer(missing) if self.writer and missing else [])
        return [
            next(written) if item.critiques is None else [[text] for text in item.critiques] for item in items
        ]

    def _scores(self, part: Sequence[Encoded]) -> Iterator[RewardScores]:
        kept = [[ids for ids in item.responses if ids is not None] for item in part]
        families = [(item.prompt_ids, ids) for item, ids in zip(part, kept, strict=True) if ids]
        read = self.read(self.plan(families)) if families else None
        start = 0
        for item, ids in zip(part, kept, strict=True):
            where = torch.tensor([index for index, one in enumerate(item.responses) if one is not None])
            rows = slice(start, start + len(ids))
            start += len(ids)
            yield _spread(self.heads, read, rows, where.long(), len(item.responses))

    @contextmanager
    def settled(self, items: Sequence[Shown], *, max_tokens: int) -> Iterator[None]:
        """With level and tau as they are on these reference responses; then the running ones of training are back.

        Args:
            items: as for `score`; responses to many prompts.
            max_tokens: token budget of one forward pass.
        """
        before = {name: buffer.clone() for name, buffer in self.heads.named_buffers()}
        self.heads.settle(self._read_all(items, max_tokens))
        try:
            yield
        finally:
            with torch.no_grad():
                for name, buffer in self.heads.named_buffers():
                    buffer.copy_(before[name])

    @torch.no_grad()
    def _read_all(self, items: Sequence[Shown], max_tokens: int) -> Readout:
        self.heads.eval()
        reads = []
        shown = [_voted(item, found) for item, found in zip(items, self._votes(items), strict=True)]
        for part in _budgeted([self.encode(*item) for item in shown], max_tokens):
            families = [
                (item.prompt_ids, [ids for ids in item.responses if ids is not None]) for item in part
            ]
            if any(ids for _, ids in families):
                reads.append(self.read(self.plan([family for family in families if family[1]])))
        empty = torch.zeros(0, device=self.trunk.device)
        return Readout(
            torch.cat([empty, *(read.u_B for read in reads)]),
            torch.cat([empty, *(read.bias_B for read in reads)]),
        )

    def save(self, folder: Path) -> None:
        """Write a folder that `load_reward_model` reads, and for a scalar head on a causal LM plain transformers too."""
        from safetensors.torch import load_file, save_file

        self.trunk.save(folder)
        tensors = {
            name: tensor.detach().cpu().contiguous() for name, tensor in self.heads.state_dict().items()
        }
        save_file(tensors, folder / HEADS)
        meta = {
            "format": FORMAT,
            "head": self.heads.config.model_dump(mode="json"),
            "input": self.reader.config.model_dump(mode="json"),
            "source": self.trunk.source,
            "tokenizer": vocabulary_hash(self.trunk.tokenizer.get_vocab()),
        }
        (folder / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
        if self.heads.config.kind == "scalar" and not self.encoder:
            weights = folder / "model.safetensors"
            if weights.is_file():  # a sharded model keeps its score in HEADS alone
                state = load_file(weights)
                state["score.weight"] = tensors["score.weight"].to(self.trunk.dtype)
                save_file(state, weights, metadata={"format": "pt"})
                _declare_classifier(folder / "config.json", self.trunk.tokenizer)


def _declare_classifier(path: Path, tokenizer: Any) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    kind = str((config.get("architectures") or ["X"])[0])
    config["architectures"] = [kind.replace("ForCausalLM", "ForSequenceClassification")]
    config["id2label"], config["label2id"] = {"0": "reward"}, {"reward": 0}
    # transformers reads the last token that is not padding: pad and end must differ.
    pad = tokenizer.pad_token_id
    config["pad_token_id"] = pad if pad is not None and pad != tokenizer.eos_token_id else _spare(tokenizer)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _spare(tokenizer: Any) -> int:
    """A token that never ends a response: another special one, or the first."""
    others = [token for token in tokenizer.all_special_ids if token != tokenizer.eos_token_id]
    return int(others[0] if others else 0)


def _segment_means(hidden_TH: Tensor, segment_T: Tensor) -> Tensor:
    """Mean hidden state [segments, H]."""
    count_N = torch.bincount(segment_T)
    total_NH = hidden_TH.new_zeros(len(count_N), hidden_TH.shape[1]).index_add(0, segment_T, hidden_TH)
    return total_NH / count_N[:, None]


def _encoder_pass(
    families: Sequence[tuple[tuple[int, ...], Sequence[tuple[int, ...]]]], device: torch.device
) -> Pass:
    """Prompts alone first, since b(x) may not see the response; then each response behind its prompt."""
    segments = [prompt for prompt, _ in families]
    segments += [prompt + response for prompt, responses in families for response in responses]
    parents = [index for index, (_, responses) in enumerate(families) for _ in responses]
    owner = [index for index, segment in enumerate(segments) for _ in segment]
    tokens = [token for segment in segments for token in segment]
    rows = range(len(families), len(segments))
    found = [
        torch.tensor(items, dtype=torch.long, device=device) for items in (tokens, list(rows), parents, owner)
    ]
    layout = SegmentLayout([len(segment) for segment in segments]).to(device)
    return Pass(layout, found[0], found[1], found[2], found[3])


def _num_read(item: Encoded, *, encoder: bool) -> int:
    """Tokens of one item's forward pass; an encoder reads the prompt again with each response."""
    lengths = [len(ids) for ids in item.responses if ids is not None]
    if not lengths:
        return 0
    return len(item.prompt_ids) * (1 + encoder * len(lengths)) + sum(lengths)


def _budgeted(encoded: Sequence[Encoded], max_tokens: int) -> Iterator[list[Encoded]]:
    """In order; a new part where the next prompt and its responses would exceed the budget."""
    part: list[Encoded] = []
    used = 0
    for item in encoded:
        cost = len(item.prompt_ids) + sum(len(ids) for ids in item.responses if ids is not None)
        if part and used + cost > max_tokens:
            yield part
            part, used = [], 0
        part.append(item)
        used += cost
    if part:
        yield part


def _voted(item: Shown, votes: Sequence[Sequence[str]]) -> Shown:
    """Each response once for each critique of it."""
    if not votes:
        return item
    again = [index for index, critiques in enumerate(votes) for _ in critiques]
    verdicts = None if item.verdicts is None else [item.verdicts[index] for index in again]
    said = [text for critiques in votes for text in critiques]
    return Shown(item.problem, [item.responses[index] for index in again], verdicts, said)


def _mean_vote(scores: RewardScores, votes: Sequence[Sequence[str]]) -> RewardScores:
    """One row for each response again, the mean over its critiques; a critique that did not fit does not count."""
    if not votes:
        return scores
    sizes = [len(critiques) for critiques in votes]

    def mean(values: Tensor | None, dim: int = 0) -> Tensor | None:
        if values is None:
            return None
        return torch.stack([part.nanmean(dim) for part in torch.split(values, sizes, dim)], dim)

    return RewardScores(
        cast(Tensor, mean(scores.score_B)),
        cast(Tensor, mean(scores.u_B)),
        mean(scores.members_EB, 1),
        mean(scores.attributes_BK),
        mean(scores.bias_B),
        tuple(map(tuple, votes)),
    )


def _spread(heads: RewardHeads, read: Readout | None, rows: slice, where: Tensor, count: int) -> RewardScores:
    """The rows of one item in the places of its responses; NaN elsewhere."""

    def placed(values_B: Tensor) -> Tensor:
        out = torch.full((count, *values_B.shape[1:]), float("nan"))
        out[where] = values_B[rows].cpu().float()
        return out

    if read is None:
        nothing = torch.full((count,), float("nan"))
        return RewardScores(nothing, nothing, None, None)
    members = read.members_EB
    return RewardScores(
        placed(heads.squashed(read)),
        placed(read.u_B),
        None if members is None else placed(members.T).T,
        None if read.attributes_BK is None else placed(read.attributes_BK),
        placed(read.bias_B),
    )
