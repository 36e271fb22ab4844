DROP TABLE IF EXISTS negotiations;
