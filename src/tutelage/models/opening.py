"""Open an engine by name, as it stands in a configuration."""

from __future__ import annotations

from urllib.parse import urlsplit

from tutelage.errors import ConfigError
from tutelage.models.engine import TransformersEngine
from tutelage.models.loading import LoadedModel, load
from tutelage.models.openai_engine import OpenAIEngine
from tutelage.types import Engine

__all__ = ["open_engine"]

_FORMS = "use 'self', a model folder, the name of an embedded model, a Hub id, or 'openai:http://host:port/v1#model'"


def open_engine(spec: str, *, own: LoadedModel | None = None, api_key_env: str = "OPENAI_API_KEY") -> Engine:
    """The engine that ``spec`` names.

    Args:
        spec: ``"self"`` (the model being tuned), a model folder, an embedded model, a Hub id, or
            ``"openai:BASE_URL#MODEL"`` for an OpenAI-compatible server.
        own: the model that ``"self"`` means.
        api_key_env: the environment variable that holds the server's key.

    Raises:
        ConfigError: the text is none of these.
        ModelError: the model cannot be loaded.
    """
    if spec == "self":
        if own is None:
            raise ConfigError("'self' means the model being tuned, but there is none here", hint=_FORMS)
        return TransformersEngine(own)
    if not spec.strip():
        raise ConfigError("the name of an engine is empty", hint=_FORMS)
    if not spec.startswith("openai:"):
        return TransformersEngine(load(spec))
    url, _, model = spec.removeprefix("openai:").partition("#")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not model:
        raise ConfigError(
            "not a server and a model", where=parts._replace(netloc=parts.hostname or "").geturl(), hint=_FORMS
        )
    return OpenAIEngine(url, model, api_key_env=api_key_env)
