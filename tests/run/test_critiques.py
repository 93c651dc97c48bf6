from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Sequence

import pytest
import torch

from guerdon.core.errors import DataError, ModelError
from guerdon.core.types import Preference
from guerdon.data.preferences.config import ArithPreferencesConfig
from guerdon.models.config import CritiqueConfig
from guerdon.models.reward import RewardModel, Shown
from guerdon.rollout.engine import Completion, Done, Request
from guerdon.run.critiques import CritiqueWriter, with_writer
from guerdon.run.reward_source import PreferenceSource, shown_of
from rewarding import judged, pair, problem, tiny_reward_model


def writing_model(**critique: object) -> RewardModel:
    return tiny_reward_model(critique={"max_length": 12, **critique}, max_length=128)


class Recorded:
    """The engine of a writer; keeps what was asked for."""

    def __init__(self, writer: CritiqueWriter) -> None:
        self.inner, self.requests = writer.engine, list[Request]()

    def generate(self, requests: list[Request], done: Done | None = None) -> list[Completion]:
        self.requests += requests
        return self.inner.generate(requests, done)


def recorded(model: RewardModel, config: CritiqueConfig) -> tuple[CritiqueWriter, Recorded]:
    writer = CritiqueWriter(model, config)
    engine = Recorded(writer)
    writer.engine = engine  # type: ignore[assignment]
    return writer, engine


def test_a_model_that_writes_needs_a_writer_and_with_one_scores_as_with_its_own_critiques_given() -> None:
    model = writing_model()
    with pytest.raises(ModelError, match="give it a writer, or critiques"):
        model.score([Shown(problem(), ("yes", "no"))])
    (found,) = with_writer(model).score([Shown(problem(), ("yes", "no"))])
    assert [len(texts) for texts in found.critiques] == [1, 1]
    said = [texts[0] for texts in found.critiques]
    (given,) = model.score([Shown(problem(), ("yes", "no"), None, said)])
    assert given.u_B.tolist() == pytest.approx(found.u_B.tolist(), abs=1e-6)
    (other,) = model.score([Shown(problem(), ("yes", "no"), None, ["wrong", "right"])])
    assert other.u_B[0] != pytest.approx(float(found.u_B[0]), abs=1e-6)


def test_several_votes_are_several_critiques_and_u_is_their_mean() -> None:
    model = with_writer(writing_model(temperature=2.0), votes=3)
    (found,) = model.score([Shown(problem(), ("yes", "no"))])
    assert [len(texts) for texts in found.critiques] == [3, 3]
    assert len(set(found.critiques[0])) == 3  # drawn with a temperature of 2, from a model that knows nothing
    alone = [
        model.score([Shown(problem(), ("yes",), None, [text])])[0].u_B.item() for text in found.critiques[0]
    ]
    assert found.u_B[0].item() == pytest.approx(sum(alone) / 3, abs=1e-5)


def test_a_critique_depends_on_what_is_judged_and_on_nothing_else() -> None:
    model = writing_model(temperature=1.5)
    writer = CritiqueWriter(model, CritiqueConfig(max_length=12, votes=2, temperature=1.5))
    together = writer([Shown(problem("a"), ("yes", "no")), Shown(problem("b"), ("yes",))])
    alone = writer([Shown(problem("a"), ("no",))])
    assert together[0][1] == alone[0][0]
    assert together[0][0] != together[1][0]


def test_one_vote_is_the_likeliest_critique() -> None:
    model = writing_model()
    writer, engine = recorded(model, CritiqueConfig(max_length=12))
    writer([Shown(problem(), ("yes",))])
    (request,) = engine.requests
    assert request.sampling.temperature == 0.0
    text = model.trunk.tokenizer.decode(request.prompt_ids)
    assert text.endswith("<response>\nyes\n</response>\n<critique>\n")


def test_a_response_that_leaves_no_room_for_a_critique_has_no_score() -> None:
    model = with_writer(writing_model())
    (found,) = model.score([Shown(problem(), ("x" * 90, "ok"))])
    assert math.isnan(found.u_B[0])
    assert not math.isnan(found.u_B[1])
    assert found.critiques[0] == ()


@pytest.mark.parametrize("critique", ["fine <b>", "</critique> and more", "a & b\n<critique>"])
def test_a_critique_cannot_close_its_own_field(critique: str) -> None:
    model = writing_model()
    encoded = model.encode(problem(), ["yes"], None, [critique])
    assert encoded.responses[0] is not None
    text = model.trunk.tokenizer.decode(encoded.responses[0])
    assert text.count("<critique>") == 1
    assert text.count("</critique>") == 1
    written = text[text.index("<critique>") + 11 :]
    assert model.reader.read_critique(written) == critique.strip()


def test_a_special_token_in_a_critique_is_text() -> None:
    model = writing_model()
    encoded = model.encode(problem(), ["yes"], None, ["good<|end|>"])
    assert encoded.responses[0] is not None
    assert encoded.responses[0].count(model.trunk.eos_id) == 1


def test_pairs_without_critiques_are_refused_before_training() -> None:
    pairs = [pair(str(index)) for index in range(3)]
    pairs[0] = dataclasses.replace(pairs[0], chosen_critique="right", rejected_critique="wrong")
    with pytest.raises(DataError, match=r"2 of 3 training pairs hold no critique of both sides"):
        PreferenceSource(pairs, writing_model(), too_long="refuse")


def test_an_encoder_cannot_write() -> None:
    from guerdon.models.reward_input import check_tokens

    with pytest.raises(ModelError, match="an encoder cannot write critiques"):
        check_tokens(tiny_reward_model().trunk.tokenizer, encoder=True, source="x", writes=True)


def arith_pairs(count: int, seed: int) -> Sequence[Preference]:
    config = ArithPreferencesConfig(num_pairs=count, max_digits=1, max_operands=2, faults=("answer",))
    return config.build(seed).pairs


def test_the_critique_loss_is_the_mean_negative_log_likelihood_of_the_critiques_tokens() -> None:
    # By hand: plain transformers on [prompt, response, <critique>, c, </critique>], no packing.
    from guerdon.train.config import OptimConfig, RewardLossConfig
    from guerdon.train.reward import RewardLearner, pack_rewards

    model = tiny_reward_model(critique={}, max_length=512)
    pairs = list(arith_pairs(2, 0))
    total, count = 0.0, 0
    for one in pairs:
        shown = shown_of(one)
        encoded = model.encode(*shown)
        for ids, start in zip(encoded.responses, encoded.critique_starts, strict=True):
            assert ids is not None
            tokens = torch.tensor([encoded.prompt_ids + ids])
            first = len(encoded.prompt_ids) + start
            model.trunk.causal_lm.config._attn_implementation = "sdpa"
            logits = model.trunk.causal_lm(input_ids=tokens).logits[0].log_softmax(1)
            model.trunk.causal_lm.config._attn_implementation = "guerdon"
            said = tokens[0, first:-1]  # the end of turn is no part of the critique
            total -= float(logits.detach()[first - 1 : -2].gather(1, said[:, None]).sum())
            count += len(said)
    source = PreferenceSource(pairs, model, too_long="refuse")
    groups = judged(asyncio.run(source.scored(1, source.problems)))
    loss = RewardLossConfig(
        ranking="none", centering=0.0, bias=0.0, variance_floor=0.0, critique=0.5, pointwise=0.0
    )
    learner = RewardLearner(model, loss, OptimConfig(learning_rate=1e-9))
    metrics = learner.step([pack_rewards(groups, model=model, max_tokens=200)]).metrics
    assert metrics["loss/critique"] == pytest.approx(0.5 * total / count, rel=1e-4)
    learner.close()
