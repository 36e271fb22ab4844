"""What is set and read by nobody."""

import os

from pydantic_settings import DotEnvSettingsSource

from ainp.setting_names import Stranger, strangers
from ainp.settings import Settings, variable_of


def unread_names() -> list[Stranger]:
    """What is set in the environment or in `.env` as if it were a setting, and is none."""
    known = {variable_of(name) for name in Settings.model_fields}
    return strangers(known, environment=os.environ, file=DotEnvSettingsSource(Settings).env_vars)
