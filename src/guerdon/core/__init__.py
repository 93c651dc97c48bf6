"""The ground floor: types that flow between stations, errors, config base, registry, metrics, seeds.

Standard library and pydantic only. Nothing here knows what a model is.
"""
