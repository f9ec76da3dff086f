"""The configuration of a repository, `.github/kotaci.toml`: text to a checked value that knows where it is from."""

from kotaci.config.choosing import PLACE, config_in_force, find_config
from kotaci.config.codeowners import CodeOwners, parse_codeowners
from kotaci.config.reading import BadConfig, read_config, read_schema
from kotaci.config.values import Config, Labels, Landmark, Owners, Prices, Setting

__all__ = [
    "PLACE",
    "BadConfig",
    "CodeOwners",
    "Config",
    "Labels",
    "Landmark",
    "Owners",
    "Prices",
    "Setting",
    "config_in_force",
    "find_config",
    "parse_codeowners",
    "read_config",
    "read_schema",
]
