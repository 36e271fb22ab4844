DROP TABLE IF EXISTS agent_memories;
DROP TABLE IF EXISTS memory_owners;
