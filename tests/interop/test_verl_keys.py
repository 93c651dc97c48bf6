import typing

from guerdon.interop import verl_keys
from guerdon.train.config import AdvantageName, AggregateName, AlgorithmConfig, KlName


def test_every_choice_is_one_that_a_recipe_can_make() -> None:
    assert set(verl_keys.AGGREGATES.values()) <= set(typing.get_args(AggregateName))
    assert set(verl_keys.ESTIMATORS.values()) <= set(typing.get_args(AdvantageName))
    assert set(verl_keys.KLS.values()) <= set(typing.get_args(KlName))
    for choice in verl_keys.LOSSES.values():
        AlgorithmConfig.model_validate(choice)
