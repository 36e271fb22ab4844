"""Whose key verifies: that of a did:key is the DID itself, that of a did:web is in its document."""

from collections.abc import Sequence
from typing import Protocol

from ainp.core.did import AgentDid
from ainp.core.did_document import Document
from ainp.core.errors import NoVerificationKey
from ainp.core.keys import VerificationKey
from ainp.core.signature import key_that_verifies
from ainp.store import agents
from ainp.store.db import Session


class Documents(Protocol):
    """Where the documents of did:web are read."""

    async def document_of(self, did: AgentDid) -> Document:
        """The keys in a document by what they are for, or NoVerificationKey with the reason."""
        ...


class Keys:
    """The keys of those who sign."""

    def __init__(self, documents: Documents | None) -> None:
        self._documents = documents

    async def of(self, db: Session, did: AgentDid, *, key_id: str, new: bool = False) -> VerificationKey:
        """
        The key that *key_id*, a DID or a URL in its document, names.

        Raises NoVerificationKey. The document of a did:web is read for agents that are registered, and for one that
        is *new*, as it registers: else anybody could have this broker fetch what they like.
        """
        if did.startswith("did:key:"):
            return VerificationKey(key_id, key_that_verifies(did))
        named = [key for key in await self.all_of(db, did, new=new) if key_id in (key.id, did)]
        if len(named) != 1:
            raise NoVerificationKey(
                f"Signature verification failed: {did} has {len(named)} keys for {key_id[:200]!r}, expected one:"
                " name it by its URL in the document"
            )
        return named[0]

    async def all_of(self, db: Session, did: AgentDid, *, new: bool = False) -> Sequence[VerificationKey]:
        """Every key of *did*, for what names none; as `of`, never an empty list."""
        return (await self._document(db, did, new=new)).authentication

    async def asserting(self, db: Session, did: AgentDid) -> Sequence[VerificationKey]:
        """Every key that *did* vouches with for what it says; as `all_of`."""
        keys = (await self._document(db, did, new=False)).assertion
        if not keys:
            raise NoVerificationKey(f"Signature verification failed: the document of {did} has no assertionMethod")
        return keys

    async def _document(self, db: Session, did: AgentDid, *, new: bool) -> Document:
        if did.startswith("did:key:"):
            own = (VerificationKey(did, key_that_verifies(did)),)
            return Document(own, own)
        if self._documents is None:
            raise NoVerificationKey("Signature verification failed: did:web is switched off (DID_WEB_ENABLED)")
        if not new and not await agents.exists(db, did):
            raise NoVerificationKey(f"Signature verification failed: {did} is not registered")
        return await self._documents.document_of(did)
