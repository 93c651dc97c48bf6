"""A reward model: a backbone that reads a conversation and a response, and heads that say how good it is.

    guerdon's own folder       config.json, model.safetensors, tokenizer   plus  reward_model.json, reward_heads.safetensors
    anybody's folder           AutoModelForSequenceClassification with one label (TRL's RewardTrainer, hub models)

A scalar head on a causal LM is stored as transformers' own `score` layer, so plain `AutoModelForSequenceClassification`
loads Guerdon's reward models too; it then sees u, without bias and squashing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from guerdon.core.config import parse_config
from guerdon.core.errors import ModelError
from guerdon.core.seeds import content_hash, derive_seed
from guerdon.core.types import Problem
from guerdon.models import fetch
from guerdon.models.attention import PackedLayout, SegmentLayout
from guerdon.models.config import HeadConfig, InputConfig, ModelConfig
from guerdon.models.heads import Readout, RewardHeads
from guerdon.models.loading import is_encoder, load_backbone
from guerdon.models.policy import Policy
from guerdon.models.reward_input import Encoded, RewardInput, check_tokens
from guerdon.models.version import META, version_of

HEADS = "reward_heads.safetensors"
FORMAT = 1
"""Of META; another number is another layout."""


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


class RewardScores(NamedTuple):
    """Scores of some responses; NaN where a response was too long to be read."""

    score_B: Tensor
    """In [-1, 1]."""
    u_B: Tensor
    members_EB: Tensor | None
    attributes_BK: Tensor | None
    bias_B: Tensor | None = None
    """b(x), the level of the prompt."""


@dataclass(slots=True)
class RewardModel:
    """A loaded reward model. Mutable on purpose: the learner updates its weights in place."""

    trunk: Policy
    heads: RewardHeads
    reader: RewardInput
    encoder: bool
    version: str
    """Hash of the files it came from; "untrained" before the first save."""

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Name to parameter of all that is trained: the trunk's (or its adapters') and the heads'.

        The LM head takes no part: nothing is written.
        """
        head = self.trunk.causal_lm.get_output_embeddings() if not self.encoder else None
        tied = head is not None and head.weight is self.trunk.causal_lm.get_input_embeddings().weight
        unused = {id(head.weight)} if head is not None and not tied else set()
        pooler = getattr(self.trunk.causal_lm, "pooler", None)
        unused |= {id(weight) for weight in pooler.parameters()} if pooler is not None else set()
        found = {
            f"trunk.{name}": weight
            for name, weight in self.trunk.trainable().items()
            if id(weight) not in unused
        }
        return found | {f"heads.{name}": weight for name, weight in self.heads.named_parameters()}

    def encode(
        self, problem: Problem, responses: Sequence[str], verdicts: Sequence[str | None] | None = None
    ) -> Encoded:
        """Token ids, as `RewardInput.encode`."""
        return self.reader.encode(problem, responses, verdicts)

    def plan(self, families: Sequence[tuple[tuple[int, ...], Sequence[tuple[int, ...]]]]) -> Pass:
        """One forward pass over (prompt ids, ids of its responses); rows come in the order given."""
        device = self.trunk.device
        if self.encoder:
            return _encoder_pass(families, device)
        tokens: list[int] = []
        ends: list[int] = []
        prompt_ends: list[int] = []
        for prompt, responses in families:
            tokens += prompt
            last = len(tokens) - 1
            for response in responses:
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
        return Pass(layout.to(device), *found)

    def read(self, plan: Pass) -> Readout:
        """Run the trunk and read the heads; differentiable."""
        layout = plan.layout
        hidden_TH = self.trunk.hidden(plan.tokens_T[None], layout.position_T[None], layout)[0]
        if plan.segment_T is not None:
            hidden_TH = _segment_means(hidden_TH.float(), plan.segment_T)
        read: Readout = self.heads(
            hidden_TH.index_select(0, plan.end_B), hidden_TH.index_select(0, plan.prompt_end_B)
        )
        return read

    @torch.no_grad()
    def score(
        self,
        items: Sequence[tuple[Problem, Sequence[str], Sequence[str | None] | None]],
        *,
        max_tokens: int = 8192,
    ) -> list[RewardScores]:
        """Scores of the responses to each problem.

        Args:
            items: (problem, its responses, a rule's verdict on each or None).
            max_tokens: token budget of one forward pass.
        """
        self.heads.eval()
        encoded = [self.encode(*item) for item in items]
        return [scores for part in _budgeted(encoded, max_tokens) for scores in self._scores(part)]

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
    def settled(
        self, items: Sequence[tuple[Problem, Sequence[str], Sequence[str | None] | None]], *, max_tokens: int
    ) -> Iterator[None]:
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
    def _read_all(
        self, items: Sequence[tuple[Problem, Sequence[str], Sequence[str | None] | None]], max_tokens: int
    ) -> Readout:
        self.heads.eval()
        reads = []
        for part in _budgeted([self.encode(*item) for item in items], max_tokens):
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
            "tokenizer": vocabulary_hash(self.trunk.tokenizer),
        }
        (folder / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
        if self.heads.config.kind == "scalar" and not self.encoder:
            weights = folder / "model.safetensors"
            if weights.is_file():  # a sharded model keeps its score in HEADS alone
                state = load_file(weights)
                state["score.weight"] = tensors["score.weight"].to(self.trunk.dtype)
                save_file(state, weights, metadata={"format": "pt"})
                _declare_classifier(folder / "config.json", self.trunk.tokenizer)


def load_reward_model(
    model: ModelConfig,
    head: HeadConfig | None = None,
    reading: InputConfig | None = None,
    *,
    seed: int = 0,
    progress: fetch.Progress | None = None,
) -> RewardModel:
    """A reward model from its folder, or fresh heads on a backbone.

    Args:
        model: a reward model's folder or hub name, or any causal LM or encoder to start from.
        head: which heads; None: those of the folder, which must then be a reward model.
        reading: what it is shown; None: as the folder says.
        seed: of fresh heads.
        progress: called with (bytes done, bytes in all) during a download.

    Raises:
        ModelError: not found, damaged, no reward model although one is expected, or other heads than asked for.
    """
    folder = Path(model.source).expanduser()
    meta = _read_meta(folder) if folder.is_dir() else {}
    with _score_expected():
        trunk = load_backbone(model, seed=seed, progress=progress)
    encoder = is_encoder(trunk)
    check_tokens(trunk.tokenizer, encoder=encoder, source=model.source)
    trained_with = meta.get("tokenizer")
    if trained_with and trained_with != vocabulary_hash(trunk.tokenizer):
        raise ModelError(
            f"{model.source}: its tokenizer is another than the one this reward model was trained with, so every score "
            "would be of other words; put the tokenizer's files back"
        )
    stored = parse_config(HeadConfig, meta["head"], where=str(folder / META)) if meta else None
    foreign = None if meta else _foreign_score(folder)
    if head is None and stored is None and foreign is None:
        raise ModelError(
            f"{model.source}: no reward model (no {META}, and no sequence classifier with one label); "
            "train one with `guerdon rm train`"
        )
    if stored is not None and head is not None and head != stored:
        raise ModelError(
            f"{model.source}: has a {stored.kind} head, the recipe asks for another ({head.kind}); take it over "
            "unchanged, or start from the backbone"
        )
    chosen = stored or head or HeadConfig(bias=False)
    shown = reading or (
        parse_config(InputConfig, meta["input"], where=str(folder / META)) if meta else InputConfig()
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "heads"))
        heads = RewardHeads(chosen, int(trunk.causal_lm.config.hidden_size))
    _fill(heads, folder if meta else None, foreign if stored is None else None)
    return RewardModel(
        trunk=trunk,
        heads=heads.to(trunk.device),
        reader=RewardInput(trunk, shown, encoder=encoder),
        encoder=encoder,
        version=version_of(folder) if meta or foreign is not None else "untrained",
    )


@contextmanager
def _score_expected() -> Iterator[None]:
    """Keep transformers from telling that a causal LM has no place for `score.weight`: it is read here, not there."""
    with suppress(ImportError):  # whoever loads says what is missing
        from transformers.utils import logging as configured

        configured.get_logger()  # makes the handler
    handlers = list(logging.getLogger("transformers").handlers)

    def is_news(record: logging.LogRecord) -> bool:
        told = record.getMessage()
        wrong = any(word in told for word in ("MISSING", "MISMATCH"))
        return (
            wrong or "LOAD REPORT" not in told or told.count("UNEXPECTED") != told.count("score.weight") + 1
        )

    for handler in handlers:
        handler.addFilter(is_news)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_news)


def vocabulary_hash(tokenizer: Any) -> str:
    """Of which number each token has, 16 hexadecimal digits."""
    return content_hash(json.dumps(sorted(tokenizer.get_vocab().items())))


def _read_meta(folder: Path) -> Mapping[str, Any]:
    path = folder / META
    if not path.is_file():
        return {}
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = meta["format"], meta["head"], meta["input"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; the folder is damaged, copy it again") from None
    if known[0] != FORMAT:
        raise ModelError(f"{path}: format {known[0]!r}; this version of guerdon reads format {FORMAT}")
    return meta


def _foreign_score(folder: Path) -> Tensor | None:
    """`score.weight` [1, H] of a sequence classifier that others trained; None: there is none."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        with safe_open(path, framework="pt") as file:
            if "score.weight" in file.keys() and file.get_slice("score.weight").get_shape()[0] == 1:  # noqa: SIM118
                weight: Tensor = file.get_tensor("score.weight")
                return weight.float()
    return None


def _fill(heads: RewardHeads, folder: Path | None, foreign: Tensor | None) -> None:
    from safetensors.torch import load_file

    if foreign is not None and heads.config.kind == "scalar":
        heads.score.weight.data.copy_(foreign)
    if folder is None:
        return
    try:
        heads.load_state_dict(load_file(folder / HEADS))
    except (OSError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{folder / HEADS}: does not fit {META}: {first}; copy the folder again") from None


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
