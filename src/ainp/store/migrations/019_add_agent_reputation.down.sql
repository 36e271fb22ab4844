DROP TABLE IF EXISTS agent_reputation;
