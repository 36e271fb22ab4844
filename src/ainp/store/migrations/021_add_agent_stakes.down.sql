DROP TABLE IF EXISTS agent_stakes;
