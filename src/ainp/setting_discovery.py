"""Settings of discovery: what makes embeddings, and how agents are ranked."""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from ainp.adapters import embeddings_sentences as sentences
from ainp.adapters.embeddings import EmbeddingPolicy
from ainp.adapters.embeddings_http import ServerSettings
from ainp.core.discovery import Weights
from ainp.core.limits import MAX_DIMENSION, MAX_FOUND
from ainp.core.vectors import Model
from ainp.setting_kinds import HttpUrl, Part

_OPENAI = "https://api.openai.com/v1"


class EmbeddingKind(StrEnum):
    """What makes embeddings."""

    LOCAL = "local"
    SENTENCES = "sentences"
    HTTP = "http"
    NONE = "none"


class DiscoverySettings(BaseSettings):
    """What discovery can be told; nothing is sent to another machine unless EMBEDDINGS or EMBEDDINGS_URL says so."""

    embeddings: EmbeddingKind | None = Field(
        None, description="what makes embeddings; default: http where EMBEDDINGS_URL is set, else local"
    )
    embeddings_url: HttpUrl | None = Field(
        None, description=f"a server that speaks OpenAI's `POST …/embeddings`; default with `http`: {_OPENAI}"
    )
    embeddings_model: str = Field(
        "text-embedding-3-small", min_length=1, max_length=200, description="the model that it is asked for"
    )
    embeddings_api_key: SecretStr | None = Field(None, description="bearer token for it")
    openai_api_key: SecretStr | None = Field(None, description="the same, where EMBEDDINGS_API_KEY is not set")
    embeddings_timeout_ms: int = Field(
        5000, ge=100, le=60_000, description="what a request to it may take, tries and all"
    )
    embeddings_dimension: int | None = Field(
        None, ge=1, le=MAX_DIMENSION, description="with `none`: numbers of the embeddings that agents send"
    )
    discovery_similarity_weight: Part = Field(0.6, description="what similarity counts in a ranking")
    discovery_trust_weight: Part = Field(0.3, description="what trust does")
    discovery_usefulness_weight: Part = Field(0.1, description="what usefulness does; the three add up to 1")
    vector_similarity_threshold: Part = Field(0, description="a less similar agent is not found")
    vector_search_limit: int = Field(20, ge=1, le=MAX_FOUND, description="agents that a search finds")

    @property
    def embedding_policy(self) -> EmbeddingPolicy:
        """What makes embeddings."""
        kind = self.embeddings
        if kind is None:
            kind = EmbeddingKind.LOCAL if self.embeddings_url is None else EmbeddingKind.HTTP
        if kind is not EmbeddingKind.HTTP:
            return EmbeddingPolicy(kind)
        key = self.embeddings_api_key or self.openai_api_key
        server = ServerSettings(
            url=self.embeddings_url or _OPENAI,
            model=self.embeddings_model,
            key=None if key is None else key.get_secret_value(),
            timeout=timedelta(milliseconds=self.embeddings_timeout_ms),
        )
        return EmbeddingPolicy(kind, server)

    @property
    def agents_model(self) -> Model | None:
        """The model whose embeddings agents send, where this broker makes none itself."""
        if self.embeddings is not EmbeddingKind.NONE or self.embeddings_dimension is None:
            return None
        return Model(self.embeddings_model, self.embeddings_dimension)

    @property
    def discovery_weights(self) -> Weights:
        """What counts how much."""
        return Weights(self.discovery_similarity_weight, self.discovery_trust_weight, self.discovery_usefulness_weight)

    def discovery_problems(self) -> Iterator[str]:
        """Weights that are not a whole, and a server that is named beside another choice."""
        try:
            _ = self.discovery_weights
        except ValueError as error:
            yield f"DISCOVERY_*_WEIGHT: {error}"
        if self.embeddings_url is not None and self.embeddings not in (None, EmbeddingKind.HTTP):
            yield f"EMBEDDINGS_URL is set, but EMBEDDINGS={self.embeddings}: found both, expected one"
        if self.embeddings is EmbeddingKind.SENTENCES and not sentences.installed():
            yield f"EMBEDDINGS=sentences needs its model: {sentences.HOW}"
